/*
 * The functions that the tables of the preflight are made of; see preflight.h. Private to this folder.
 */
#pragma once

#include "cutover.h"

/* preflight_migration.c: where the migration and its stream stand. */
int check_phase(Cutover *cutover, Error *error);
int check_nothing_missing(Cutover *cutover, Error *error);
int check_drift(Cutover *cutover, Error *error);
int check_verified(Cutover *cutover, Error *error);
int check_slot(Cutover *cutover, Error *error);
int check_stream_role(Cutover *cutover, Error *error);
int check_lag(Cutover *cutover, Error *error);
int name_without_statistics(Cutover *cutover, Error *error);

/* preflight_sides.c: rights, sessions and proxies. */
int check_leaving(Cutover *cutover, Error *error);
int check_entering(Cutover *cutover, Error *error);
int check_prepared(Cutover *cutover, Error *error);
int check_writers(Cutover *cutover, Error *error);
int check_transactions(Cutover *cutover, Error *error);
int name_superusers(Cutover *cutover, Error *error);
int name_passers(Cutover *cutover, Error *error);
int check_proxies(Cutover *cutover, Error *error);
int check_probe(Cutover *cutover, Error *error);

/* preflight_ways.c: the way back. */
int check_reverse_servers(Cutover *cutover, Error *error);
int check_definitions(Cutover *cutover, Error *error);
int check_reverse_role(Cutover *cutover, Error *error);
int check_reverse_login(Cutover *cutover, Error *error);
int name_reverse_limits(Cutover *cutover, Error *error);
int check_fence(Cutover *cutover, Error *error);
int check_way_back(Cutover *cutover, Error *error);
