/*
 * Resolve, the second stage: holds the record at the cursor until everything is known that it needs.
 *
 *     resolve_open ──► resolve_prefetch for each new frame ──► resolve_record until STEP_TOOK ──► … ──► resolve_close
 *                                 the resolver answers (wake) ──► resolve_collect
 *
 * Event loop only; what has to be asked is asked by the resolver's thread (catalog/resolver.h).
 */
#pragma once

#include <stdbool.h>

#include "catalog.h"
#include "frame.h"
#include "log.h"
#include "meet.h"
#include "resolver.h"
#include "step.h"

/* What has to be noted on the target before the record at the cursor may be passed. */
typedef enum Note { NOTE_NONE, NOTE_ASKED, NOTE_MADE } Note;

typedef struct Resolve {
    Catalog *catalog; /* borrowed: it outlives runs */
    Resolver *resolver;
    const Log *log;
    bool recopy; /* --on-undecodable=recopy */
    Note note;
    const SourceRelation *present; /* the source was asked about it last, and has it still */
    StreamBound bound;             /* how far this run may go while tables are copied */
    bool bound_is_past;            /* by now a run may go further */
    bool reached;                  /* it was noted that the cursor waits there */
    bool asking_bound;
    uint32_t xid;   /* of the transaction at the cursor … */
    Lsn commit_lsn; /* … and its commit */
    bool recopied;  /* something was noted that has to be copied anew: the run has to end */
    Lsn creating;   /* commit of the transaction in which a CREATE TABLE AS has begun */
    bool defining;  /* a statement of DDL was passed, and may be on its way */
    bool settling;  /* classes are being settled */
} Resolve;

int resolve_open(Resolve *resolve, const ResolverOptions *options, Error *error) MUST_CHECK;
void resolve_close(Resolve *resolve);

/*
 * Asks for all relations of the frame that are not known, in one question. False when there are others behind a statement of DDL,
 * which may be defined by it: they are asked for when the statement has been passed.
 */
bool resolve_prefetch(Resolve *resolve, const DecodedFrame *frame);

/* May frames that the cursor has not come to be shown to resolve_prefetch? What is read of the copy is read at the cursor. */
bool resolve_asks_ahead(const Resolve *resolve);

/* While the cursor is held by the bound: asks how far it may go now. To be called a few times a second. */
void resolve_look(Resolve *resolve);

/*
 * May the record be scheduled? quiet: nothing is under way, and every lane stands at the cursor; even: they would,
 * if asked to (scheduler_even). transaction: its commit. Every step but STEP_EMPTY and STEP_FULL may be the answer.
 */
Step resolve_record(Resolve *resolve, const DecodedFrame *frame, size_t index, Lsn transaction, bool quiet,
                    bool even, Error *error) MUST_CHECK;

/* The record is passed because nothing is left to be done of it (scheduler_had). */
void resolve_passed(Resolve *resolve, const Record *record, Lsn transaction);

/* Parts of tables (penstock.job.id) have to be copied anew before the stream can go on: never STEP_TOOK. */
Step resolve_recopy(Resolve *resolve, const int64_t *jobs, size_t count, bool quiet);

/* Takes in what the resolver has answered; what meet has asked goes there. */
int resolve_collect(Resolve *resolve, Meet *meet, Error *error) MUST_CHECK;

/* A question is out. */
bool resolve_busy(const Resolve *resolve);

/*
 * The target of a relation that resolve_record has let pass, for changes of the transaction; NULL when it takes no part.
 * ERROR_PROTOCOL for any other relation.
 */
int resolve_target(const Resolve *resolve, const SourceRelation *source, Lsn transaction,
                   const ApplyRelation **out, Error *error) MUST_CHECK;
