/*
 * `penstock report`: the whole migration on one page, for the change ticket: what was moved, when and how long, lag and rate over
 * time, the switch step by step, what was verified, what was out of the ordinary, versions.
 *
 *     gather.c  both servers ──► one JSON document: that of status, the whole journal, the history, tables, verification, conflicts
 *     html.c    document ──► one HTML file that needs nothing else (charts.c: its plots, as SVG)
 *
 * `penstock finish` writes it before it removes anything.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "command.h"
#include "database.h"
#include "text.h"

#define REPORT_TABLES 100000 /* listed in the document; the page has the first REPORT_PAGE_TABLES */
#define REPORT_PAGE_TABLES 1000

/* Reads it. The target must answer; a source that does not is part of the document. The caller owns *document. */
int report_gather(const Settings *settings, json_t **document, Error *error) MUST_CHECK;

/* Writes the page to path, and the document beside it, with .json in place of .html. Neither is left half written. */
int report_write(const json_t *document, const char *path, Error *error) MUST_CHECK;

/* "penstock-report-NAME.html", with what is no letter, digit or - of the name replaced. Returns out. */
char *report_name(const char *migration, char *out, size_t size);

/* Cutover and rollback step by step, and where the time of each hold went. */
void report_timelines(Text *out, const json_t *document);

/* The page. */
void report_html(Text *out, const json_t *document);

/* A plot of the samples of document.history: one line for each name (a member of the samples). */
typedef enum PlotUnit { PLOT_SECONDS, PLOT_BYTES, PLOT_COUNT } PlotUnit;
void report_plot(Text *out, const json_t *history, const char *title, PlotUnit unit, const char *const *names,
                 size_t count);

/* text with what HTML gives a meaning escaped. */
void report_escape(Text *out, const char *text);
