/*
 * Plots as SVG, with the numbers of both axes. A gap in the samples (an applier that did not run) is a gap in the line.
 */
#include <time.h>

#include "report.h"
#include "view.h"

#define WIDTH 900.0
#define HEIGHT 180.0
#define LEFT 80.0
#define BOTTOM 24.0
#define TOP 10.0
#define GAP_FACTOR 5.0 /* of the usual time between two samples */

typedef struct Axes {
    double first, last; /* seconds since 1970 */
    double most;
    double gap; /* seconds between two samples that are not joined */
} Axes;

static const char *const colours[] = {"#0b6bcb", "#c2410c", "#15803d"};

static double x_of(const Axes *axes, double at)
{
    double width = axes->last > axes->first ? axes->last - axes->first : 1;
    return LEFT + (at - axes->first) / width * (WIDTH - LEFT - 10);
}

static double y_of(const Axes *axes, double value)
{
    return HEIGHT - BOTTOM - value / axes->most * (HEIGHT - BOTTOM - TOP);
}

static Axes axes_of(const json_t *history, const char *const *names, size_t count)
{
    Axes axes = {.most = 0};
    size_t index;
    json_t *sample;
    json_array_foreach((json_t *)history, index, sample)
    {
        double at = view_number(sample, "at");
        axes.first = index == 0 ? at : axes.first;
        axes.last = at;
        for (size_t i = 0; i < count; i++) {
            double value = view_number(sample, names[i]);
            axes.most = value > axes.most ? value : axes.most;
        }
    }
    size_t samples = json_array_size(history);
    axes.gap = samples > 1 ? GAP_FACTOR * (axes.last - axes.first) / (double)(samples - 1) : 0;
    axes.most = axes.most > 0 ? axes.most : 1;
    return axes;
}

static void line(Text *out, const json_t *history, const Axes *axes, const char *name, const char *colour)
{
    double before = 0;
    bool pen_down = false;
    size_t index;
    json_t *sample;
    text_append(out, "<path fill=\"none\" stroke-width=\"1.6\" d=\"");
    json_array_foreach((json_t *)history, index, sample)
    {
        double at = view_number(sample, "at"), value = view_number(sample, name);
        if (value < 0) {
            pen_down = false;
            continue;
        }
        pen_down = pen_down && at - before <= axes->gap;
        text_printf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', x_of(axes, at), y_of(axes, value));
        pen_down = true;
        before = at;
    }
    text_printf(out, "\" stroke=\"%s\"/>", colour);
}

static void y_label(Text *out, const Axes *axes, PlotUnit unit, double value)
{
    char text[48];
    if (unit == PLOT_BYTES) {
        view_bytes(value, text, sizeof text);
    } else if (unit == PLOT_SECONDS && value > 0 && value < 10) {
        snprintf(text, sizeof text, "%.2f s", value);
    } else if (unit == PLOT_SECONDS) {
        view_duration(value, text, sizeof text);
    } else {
        view_count(value, text, sizeof text);
    }
    double y = y_of(axes, value);
    text_printf(out,
                "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ccd3db\"/>"
                "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
                LEFT, WIDTH - 10, y, y, LEFT - 6, y + 4, text);
}

static void x_label(Text *out, double at, double x, const char *anchor)
{
    char text[32];
    time_t seconds = (time_t)at;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    text_printf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>", x, HEIGHT - 6, anchor, text);
}

void report_plot(Text *out, const json_t *history, const char *title, PlotUnit unit, const char *const *names,
                 size_t count)
{
    Axes axes = axes_of(history, names, count);
    text_printf(out, "<h3>%s</h3>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">", title,
                WIDTH, HEIGHT, title);
    for (int i = 0; i <= 2; i++) {
        y_label(out, &axes, unit, axes.most * i / 2);
    }
    x_label(out, axes.first, LEFT, "start");
    x_label(out, axes.last, WIDTH - 10, "end");
    for (size_t i = 0; i < count; i++) {
        line(out, history, &axes, names[i], colours[i % (sizeof colours / sizeof colours[0])]);
    }
    text_append(out, "</svg>\n");
    if (count > 1) {
        text_append(out, "<p class=\"soft\">");
        for (size_t i = 0; i < count; i++) {
            text_printf(out, "<span style=\"color:%s\">&#9632;</span> %s ",
                        colours[i % (sizeof colours / sizeof colours[0])], names[i]);
        }
        text_append(out, "</p>\n");
    }
}
