/*
 * What command.c and print.c of penstock proxy share. Private to this folder.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* Rows of `penstock proxy show`, each an object of texts, numbers and booleans, as a table. */
void proxies_print_rows(const json_t *rows, FILE *out);

/* What `penstock proxy set` changes, key by key. */
void proxies_print_change(const json_t *change, FILE *out);
