/*
 * The parts of status_print: each prints its lines of the document, or nothing where there is none of it.
 */
#pragma once

#include "status.h"

/* The left column, "" for a line that belongs to the one before. */
void status_label(FILE *out, const char *name);

/* What a noun ends with behind that number. */
const char *status_plural(double count);

void status_print_again(FILE *out, const json_t *document);
void status_print_conflicts(FILE *out, const json_t *document);
void status_print_accepted(FILE *out, const json_t *document);
void status_print_list(FILE *out, const json_t *document); /* what was made, and the journal */
void status_print_tables(FILE *out, const json_t *document);
void status_print_others(FILE *out, const json_t *document);
void status_print_ddl(FILE *out, const json_t *document); /* what came of it, and how the schemas differ */
void status_print_verified(FILE *out, const json_t *document); /* comparisons, and what is known to differ */
