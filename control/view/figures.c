/*
 * Numbers as people read them.
 */
#include "view.h"

char *view_bytes(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return out;
}

char *view_count(double count, char *out, size_t size)
{
    char digits[32];
    int left = snprintf(digits, sizeof digits, "%.0f", count < 1e18 ? count : 1e18);
    size_t length = 0;
    for (const char *at = digits; left > 0 && length + 3 < size; at++, left--) {
        out[length++] = *at;
        if (left % 3 == 1 && left > 1) {
            out[length++] = ',';
        }
    }
    out[length] = '\0';
    return out;
}

/* Two units are enough: nobody needs the seconds of three days. */
char *view_duration(double seconds, char *out, size_t size)
{
    static const struct {
        long long seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    static const size_t last = sizeof units / sizeof units[0] - 1;
    long long left = seconds < 1e15 ? (long long)(seconds + 0.5) : (long long)1e15;
    size_t unit = 0;
    while (left < units[unit].seconds && unit < last) {
        unit++;
    }
    int length = snprintf(out, size, "%lld %s", left / units[unit].seconds, units[unit].name);
    long long part = unit < last ? left % units[unit].seconds / units[unit + 1].seconds : 0;
    if (part > 0) {
        snprintf(out + length, size - (size_t)length, " %lld %s", part, units[unit + 1].name);
    }
    return out;
}
