/*
 * Asks the target about relations, on a thread and over a connection of its own: the event loop never waits for it.
 *
 *     question_new, fill ──► resolver_ask ──► (wake) ──► resolver_collect ──► read the answer, question_free
 *
 * Questions are answered in the order in which they were asked. One that has to wait for a lock of someone else's is asked
 * again every 30 seconds, for as long as it takes; meanwhile `penstock status` says who has the lock, because the connection
 * holds the workers' lock of the migration, by which waits are found and an earlier applier's connections are noticed.
 *
 * Every other failure of the server is in question->error, and the resolver is of no further use: the pipeline starts anew.
 */
#pragma once

#include "bound.h"
#include "log.h"
#include "look.h"
#include "lsn.h"
#include "point.h"
#include "text.h"

typedef struct Resolver Resolver;

typedef enum QuestionKind {
    ASK_RELATIONS, /* what is on the target of each of sources? ► answers */
    ASK_SETTLED, /* the same, and the class that is right now is taken; only while all lanes stand at one point */
    NOTE_RECOPY,   /* sources[0] has to be copied again; see state_mark_recopy ► noted */
    ASK_BOUND,     /* how far may the stream go? ► bound */
    NOTE_REACHED,  /* the cursor waits at the bound of snapshot: state_note_reached */
    NOTE_PARTS,    /* parts of tables have to be copied anew: state_recopy_parts */
    NOTE_TABLE,    /* all of a table, at once: state_recopy_table */
    NOTE_REPLACED, /* sources[0] is not the table that was copied under its name: that is to be copied again */
    ASK_GONE, /* is sources[0] still there at the source, under whatever name? ► noted: no; stays_behind */
    NOTE_UNKNOWN, /* sources[0], which the migration has never heard of, has to be copied */
    ASK_POINT,    /* which point is to be compared, and how far is it? ► point */
    MOVE_POINT,   /* the point moves from point.state to point_to: state_point_move ► noted: it did */
    NOTE_CREATED, /* sources[0] was made by CREATE TABLE AS, whose rows come before it is told of: it is made as the stream says */
} QuestionKind;

typedef struct Question {
    QuestionKind kind;
    const SourceRelation **sources;
    size_t count;
    Lsn commit_lsn; /* NOTE_UNKNOWN, NOTE_CREATED, ASK_GONE: of the transaction that it is about … */
    uint32_t xid;   /* … ASK_GONE: and its number */
    Lsn lsn;        /* NOTE_RECOPY: where it happened, and why */
    char reason[512];
    Text jobs;     /* NOTE_PARTS */
    int snapshot;  /* NOTE_REACHED */
    int64_t table; /* NOTE_TABLE: penstock.relation.id */

    Answer *answers; /* by source */
    bool noted;
    bool
        stays_behind; /* ASK_GONE: it is there, and by the migration's selection not moved; that is written down */
    StreamBound bound;
    StreamPoint point;   /* MOVE_POINT: its number, state and held_ms are the question's */
    PointState point_to; /* reason says why */
    Error error;         /* code ERROR_NONE when it was answered */
    struct Question *next;
} Question;

/* A question about so many sources, to be filled in. */
Question *question_new(QuestionKind kind, size_t count);
void question_free(Question *question);

typedef struct ResolverOptions {
    const char *source; /* connection strings; borrowed, like the next ones */
    const char *target;
    const char *migration;
    const char *encoding; /* of the source database: names come in it */
    Types *types;         /* used by the resolver's thread until resolver_stop */
    const LossyTables *lossy;
    const Log *log;
    void (*wake)(void *context); /* any thread; must return at once */
    void *context;
} ResolverOptions;

/* Connects and starts the thread. The caller ends it with resolver_stop. */
int resolver_start(const ResolverOptions *options, Resolver **out, Error *error) MUST_CHECK;

/* Takes over the question. */
void resolver_ask(Resolver *resolver, Question *question);

/* The next question that is answered, or NULL; the caller frees it. */
Question *resolver_collect(Resolver *resolver);

/* True while a question is not answered. */
bool resolver_busy(Resolver *resolver);

/* Ends the thread at once, whatever it waits for: its connection is cut. Frees questions that are left. */
void resolver_stop(Resolver *resolver);
