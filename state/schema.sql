-- The state of migrations: schema penstock on the target. One truth for the CLI, the applier and whoever looks with
-- psql. Created by `penstock copy`, removed by `penstock finish`.

CREATE SCHEMA IF NOT EXISTS penstock;

-- Says which layout this is; state.c looks for these words. A finished migration may leave only its journal here.
COMMENT ON SCHEMA penstock IS 'Penstock state, layout 8';

-- One row per migration; identifies the source so that nothing else is ever applied here by mistake.
CREATE TABLE penstock.migration (
    name             text PRIMARY KEY,
    phase            text NOT NULL CHECK (phase IN ('created', 'copying', 'copied', 'switched', 'rolled back', 'finished')),
    slot_name        text NOT NULL,
    source_system    text NOT NULL,          -- system_identifier of IDENTIFY_SYSTEM
    source_database  text NOT NULL,
    source_timeline  int,                    -- that it was on when the copy began, or the stream was read last
    source_version   int NOT NULL,
    source_encoding  text NOT NULL,
    target_version   int NOT NULL,
    lanes            int NOT NULL CHECK (lanes BETWEEN 1 AND 1024),
    slot_lsn         pg_lsn,                 -- consistent point of the slot: the stream starts here
    final_lsn        pg_lsn,                 -- set by cutover: nothing behind it will ever come
    first_xid        bigint,                 -- the source's next transaction when the slot was there: a snapshot that is copied
                                             -- from must be past all before it
    owners           boolean NOT NULL DEFAULT true, -- whether the copy brings them, and grants (--no-owner, --no-privileges)
    grants           boolean NOT NULL DEFAULT true,
    large_source     bigint,                 -- large objects: what transactions from this one on have changed at the source is
    large_target     bigint,                 -- not on the target; the other way, after a switch; null: they stay behind
    selection        text[] NOT NULL DEFAULT '{}',  -- what is moved: rule (only, exclude, schema-only) and pattern in turns
    ddl              text NOT NULL DEFAULT 'off' CHECK (ddl IN ('capture', 'watch', 'off')), -- how DDL at the source is met
    ddl_token        bytea,                  -- that captured DDL is sealed with: nobody but the source's superusers can read it there
    schema_seen      text,                   -- txid_current_snapshot() of what the schema was dumped under: DDL of transactions that it
                                             -- sees came with the dump
    standby_paused   boolean NOT NULL DEFAULT false, -- a copy that reads on a standby has paused its replay, and not let it go on
    switch_run       text,                   -- the command that took the switch up last: whoever is another, and wakes, leaves it alone
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row per table that is moved.
CREATE TABLE penstock.relation (
    id           bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    migration    text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    schema_name  text NOT NULL,
    table_name   text NOT NULL,
    source_oid   oid NOT NULL,               -- the table is this one, whatever its name is by now
    source_columns text[],                   -- its columns when it was listed, and those that came since: number, type, type
                                             -- modifier and name, with colons between
    source_bytes bigint NOT NULL,            -- pg_table_size when it was listed
    copy_state   text NOT NULL DEFAULT 'pending' CHECK (copy_state IN ('pending', 'copying', 'copied')),
    copy_lsn     pg_lsn,                     -- no row here is from a transaction that committed there or behind; without a
                                             -- snapshot below, the rows have every one that committed before
    snapshot     int,                        -- penstock.snapshot that all rows were copied under; null: by LSN, or in parts
    part_column  text,                       -- the key's first column, by whose ranges it is copied in parts; null: whole
    part_type    text,                       -- that column's type, as which its values are compared
    part_scan    boolean,                    -- its rows do not lie in the order of the key: each part is read by a scan of the table
    part_cuts    text[],                     -- the keys at which its parts begin, without the first
    unique_index text,                       -- at the source: unique or an exclusion, and not by the key; the copy makes it late
    key_class    oid,                        -- the index of the replica identity, or its constraint: catalog and OID at the source
    key_object   oid,
    key_sql      text,                       -- that makes it on the target
    key_bytes    bigint,                     -- how large it is at the source
    columns      text,                       -- that are copied, quoted and with commas between
    in_binary    boolean,                    -- and how
    column_types oid[],                      -- their types at the source, where rows in binary have OIDs of users' types in them
    condition    text,                       -- of an extension's table: which rows are the user's
    route_schema text,                       -- the partitioned table that its rows go through on the target, where they may
    route_table  text,                       -- belong into another leaf than at the source; null: its rows are its own
    copied_rows  bigint,
    copied_bytes bigint,
    started_at   timestamptz,
    copied_at    timestamptz,
    -- Set: a change that was made at the source there could not be sent, or the table was made after the copy had listed
    -- the tables (--on-undecodable=recopy), and the rows here are wrong until the table has been copied. Its changes are
    -- left out meanwhile. With copy_state 'copied': it is gone from the source, so nothing is there to be copied.
    recopy_lsn    pg_lsn,
    recopy_reason text,
    -- How the applier treats it, decided with the first change. The class decides which lane a change is in, so it is
    -- changed only while every lane stands at one point of the stream.
    lane_class   text CHECK (lane_class IN ('spread', 'whole')),
    lane_reason  text,                       -- why it is not spread
    match_class  text CHECK (match_class IN ('key', 'row', 'none')),
    PRIMARY KEY (migration, schema_name, table_name)
);

-- What of the source stays behind, by the migration's selection, as it was looked at last (the copy, and each preflight of a
-- cutover, do). The stream does not bring these, by their OID: what is in penstock.relation never stands here.
CREATE TABLE penstock.left_behind (
    migration     text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    source_oid    oid NOT NULL,
    schema_name   text NOT NULL,
    relation_name text NOT NULL,
    kind          "char" NOT NULL,           -- pg_class.relkind
    extent        text NOT NULL CHECK (extent IN ('all', 'rows')), -- rows: it is on the target, and they are not
    reason        text NOT NULL,
    PRIMARY KEY (migration, source_oid)
);

-- Snapshots of the source that tables are copied under, in the order in which they were taken: each sees what the ones
-- before it see. Once it is published, nothing is copied under an earlier one any more. The applier never passes a
-- transaction that the newest published one does not see, until the copy is done.
CREATE TABLE penstock.snapshot (
    migration    text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    number       int NOT NULL,
    seen         text,                       -- txid_current_snapshot() of it; null: it sees what committed before end_lsn
    end_lsn      pg_lsn NOT NULL,            -- it sees nothing that committed there or behind
    exported     text,                       -- its name where it was taken, while it can be taken over ...
    exported_by  text,                       -- ... and which server that is: whether it is a standby, and since when it runs
    taken_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    reached_at   timestamptz,                -- the applier has all that it may have under this one, every lane at one point, and waits
    wanted_later boolean NOT NULL DEFAULT false, -- a process that copies along cannot read a table under it: it waits for the next
    retired      boolean NOT NULL DEFAULT false, -- a later one is published: nothing is copied under this any more
    PRIMARY KEY (migration, number)
);

-- The work of the copy, in pieces that are done each in one transaction: taken by whoever comes first, in the order of rank.
CREATE TABLE penstock.job (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration    text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN ('table', 'tables', 'part')), -- one, some small ones together, a range of keys
    rank         int NOT NULL,               -- the largest first
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done')),
    part         int,                        -- of a part: its place among those of the table, from 0 on
    first_key    text,                       -- keys from here on ...
    last_key     text,                       -- ... up to here; null: all that are lower, or higher
    anew         boolean NOT NULL DEFAULT false, -- rows are there that have to be removed first
    source_bytes bigint NOT NULL,
    snapshot     int,                        -- that it was copied under
    rows         bigint,
    bytes        bigint,
    started_at   timestamptz,                -- by whoever has it, or had it last
    ended_at     timestamptz,
    error        text                        -- of the last try that failed
);
CREATE INDEX ON penstock.job (migration, rank) WHERE state <> 'done';

-- Which tables a job copies.
CREATE TABLE penstock.job_relation (
    job          bigint NOT NULL REFERENCES penstock.job ON DELETE CASCADE,
    relation     bigint NOT NULL REFERENCES penstock.relation (id) ON DELETE CASCADE,
    PRIMARY KEY (relation, job)
);
CREATE INDEX ON penstock.job_relation (job);

-- The OID first: with the migration first, and no statistics yet, it would be taken for a look-up by name and be read whole.
CREATE INDEX ON penstock.relation (source_oid, migration);

-- Processes that copy along (penstock copy --join), on whatever hosts. One that has not been seen for a minute is given up: its
-- sessions on the target are ended, and what they were at is for others.
CREATE TABLE penstock.copier (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration    text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    host         text NOT NULL,
    pid          int NOT NULL,
    sessions     int[] NOT NULL DEFAULT '{}', -- their processes on the target
    joined_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What slows the copy down, or stops it between two jobs: read by all who copy once a second (penstock throttle, pause, resume).
CREATE TABLE penstock.throttle (
    migration        text PRIMARY KEY REFERENCES penstock.migration ON DELETE CASCADE,
    paused           boolean NOT NULL DEFAULT false,
    jobs             int,                    -- at a time, in each process that copies; null: as it was started
    bytes_per_second bigint,                 -- of each process
    max_wal          bigint,                 -- that the source keeps for the slot
    max_lag          bigint,                 -- by which one of the standbys is behind, in bytes of WAL
    standbys         text[],                 -- their application_name; null: all that there are
    max_sessions     int,                    -- of applications, active at the source
    max_xmin_age     bigint,                 -- transactions since the oldest snapshot of the source
    min_free         bigint,                 -- bytes that are free where the target's data are
    held_since       timestamptz,            -- no job is begun since then, because of ...
    reason           text                    -- ... in words; or what it is slowed down by
);

-- What of the schema is made after the rows, and what the target refused of all the rest. Written by the copy.
CREATE TABLE penstock.schema_object (
    migration    text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    section      text NOT NULL CHECK (section IN ('pre-data', 'post-data')),
    number       int NOT NULL,               -- the order in which pg_restore would make them
    dump_id      int NOT NULL,
    needs        int[] NOT NULL,             -- dump_ids of what has to be there before
    tables       int[] NOT NULL,             -- dump_ids of the tables that making it locks
    table_oids   oid[] NOT NULL DEFAULT '{}', -- and their OIDs at the source
    class_oid    oid NOT NULL,               -- its catalog and its OID at the source, 0 for what is no object of its own
    object_oid   oid NOT NULL,
    kind         text NOT NULL,              -- INDEX, FK CONSTRAINT, ...
    schema_name  text NOT NULL,
    object_name  text NOT NULL,
    statements   bytea,                      -- null where they may hold a password: then they come from the source again
    state        text NOT NULL CHECK (state IN ('waiting',
                     'building',             -- an index, beside the stream: what is there of it is ours
                     'not valid',            -- a constraint is there, and its rows have not been looked at
                     'made', 'refused', 'left out')),
    sqlstate     text,                       -- why it was refused, and the words of the server
    words        text,
    source_bytes bigint,                     -- of an index, or the one of a constraint, that is made after the rows
    not_valid    text,                       -- of a constraint: why it is made NOT VALID, whatever the options say
    PRIMARY KEY (migration, section, number)
);
CREATE INDEX ON penstock.schema_object (migration, object_oid);
CREATE INDEX ON penstock.schema_object (migration, dump_id);

-- How far a copy is that runs, by itself, every two seconds.
CREATE TABLE penstock.copy_progress (
    migration    text PRIMARY KEY REFERENCES penstock.migration ON DELETE CASCADE,
    said         jsonb NOT NULL,             -- phase, share of all, tables, rows, bytes of this run and a second, seconds_left, work
    updated_at   timestamptz NOT NULL
) WITH (fillfactor = 10);

-- Triggers and rules ENABLE ALWAYS and ENABLE REPLICA that the copy brought: disabled while the stream is applied, on which they
-- would act, and what they were again from the cutover on.
CREATE TABLE penstock.silenced (
    migration   text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    relation    oid NOT NULL,                -- on the target; of an event trigger its own
    kind        text NOT NULL CHECK (kind IN ('TRIGGER', 'RULE', 'EVENT TRIGGER')),
    name        name NOT NULL,
    mode        "char" NOT NULL,             -- A: always, R: replica
    PRIMARY KEY (migration, relation, kind, name)
);

-- How far each lane has been applied; updated in the very transaction that applies. Each applier, and each of its runs,
-- takes all lanes over before it reads them: it raises the epoch, and from then on only transactions that know the new one
-- move a lane (state/lanes.c).
--
-- Each batch moves some lanes. While somebody has an old snapshot on this server, nothing of what was here before can be
-- taken away (pg_dump runs for an hour, for instance), and whoever looks for a lane by its number meets all that it was since.
-- So a mover says how often the lane has been moved, too: the key of a row that is met once.
CREATE TABLE penstock.lane (
    migration   text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    lane        int NOT NULL,
    commit_lsn  pg_lsn NOT NULL,             -- commit record of the last change applied here ...
    sequence    bigint NOT NULL,             -- ... and its number in that transaction ...
    commit_time timestamptz,                 -- ... which was committed then, by the source's clock
    epoch       bigint NOT NULL DEFAULT 0,   -- of whoever took the lanes over last
    moves       bigint NOT NULL DEFAULT 0,   -- since then
    PRIMARY KEY (migration, epoch, lane, moves)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- What the applier has applied of each table. Only tables that changed are written, every five seconds and not many at a
-- time; what an applier that was killed had not yet written is not counted.
CREATE TABLE penstock.applied (
    relation        bigint PRIMARY KEY REFERENCES penstock.relation (id) ON DELETE CASCADE,
    lane            int,                     -- that all its changes are in; null: they spread over all of them
    rows            bigint NOT NULL,         -- changes of rows, as the source sent them
    rows_per_second float8 NOT NULL,         -- since the count before this one
    counted_at      timestamptz NOT NULL
) WITH (fillfactor = 50);

-- What the applier says of itself, a few times a second. One row per migration.
CREATE TABLE penstock.applier (
    migration        text PRIMARY KEY REFERENCES penstock.migration ON DELETE CASCADE,
    state            text NOT NULL,          -- starting, streaming, waiting, stopped, failed
    pid              int NOT NULL,
    host             text NOT NULL,
    workers          int NOT NULL,
    started_at       timestamptz NOT NULL,
    received_lsn     pg_lsn NOT NULL,        -- last byte seen from the source
    low_water_lsn    pg_lsn NOT NULL,        -- every transaction that ends at or before this is durable here; nothing
                                             -- behind it has been confirmed to the source
    source_lsn       pg_lsn,                 -- where the source's WAL ended when it was asked last
    last_commit_time timestamptz,            -- source time of the newest transaction below the low-water mark
    heartbeat_time   timestamptz,            -- source time at which the source had nothing that was not durable here
    transactions     bigint NOT NULL,        -- since the start of this applier
    changes          bigint NOT NULL,
    statistics       jsonb NOT NULL DEFAULT '{}', -- since the start of this applier
    rates            jsonb NOT NULL DEFAULT '{}', -- over the last seconds
    lanes            jsonb NOT NULL DEFAULT '[]', -- by lane: rows, transactions, and both per second
    blocked          jsonb,                  -- [{worker_pid, relation, seconds, pid, user, application, state, query}]: workers
                                             -- that wait for a lock, and who has it
    error            jsonb,                  -- {code, sqlstate, message, hint, lsn, number: PST-1234} when state is waiting or failed
    counted_lsn      pg_lsn,                 -- every change that ends at or before this is in penstock.applied
    uncounted_at     timestamptz,            -- an applier began then, and one before it was killed before it had counted all
    updated_at       timestamptz NOT NULL
) WITH (fillfactor = 10);

-- How it went, a row each ten seconds, thinned with age (state/history.c). Null: was not known.
CREATE TABLE penstock.history (
    migration        text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    at               timestamptz NOT NULL,   -- a whole ten seconds
    lag_bytes        bigint,                 -- from the source's end of WAL to the low-water mark
    lag_seconds      float8,
    rows_per_second  float8 NOT NULL,
    transactions_per_second float8 NOT NULL,
    rows             bigint,                 -- since the start of that applier
    wire_bytes       bigint,                 -- that it has received since then
    wire_bytes_per_second   float8 NOT NULL,
    source_bytes_per_second float8,          -- WAL that the source writes
    bytes_copied     bigint NOT NULL,
    bytes_to_copy    bigint NOT NULL,
    blocked          boolean NOT NULL,       -- a worker waited for a lock of somebody else's
    PRIMARY KEY (migration, at)
);

-- Changes that did not fit the rows here, and what was done instead as --on-conflict or --skip-lsn said: written in the
-- transaction that did it.
CREATE TABLE penstock.conflict (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration   text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    commit_lsn  pg_lsn NOT NULL,             -- the change: commit record of its transaction at the source ...
    sequence    bigint NOT NULL,             -- ... and its number in there
    schema_name text,                        -- null for a truncate of several tables
    table_name  text,
    kind        text NOT NULL CHECK (kind IN ('insert', 'update', 'delete', 'truncate')),
    problem     text NOT NULL CHECK (problem IN ('refused', 'missing', 'several', 'transaction skipped')),
    sqlstate    text,                        -- when the server refused it
    message     text,
    action      text NOT NULL CHECK (action IN ('overwritten', 'skipped')),
    key         json,                        -- by what the row is found: the key, or all of the old row
    new_row     json                         -- the row as the source has it now, without what it did not send
);
CREATE INDEX ON penstock.conflict (migration, commit_lsn, sequence);

-- A point of the stream at which the target has exactly what a snapshot of the source sees, and how verify and the applier come
-- to one: state/point.h says who moves it on. One row per migration, for the point that was asked for last.
CREATE TABLE penstock.point (
    migration   text PRIMARY KEY REFERENCES penstock.migration ON DELETE CASCADE,
    number      bigint NOT NULL,
    state       text NOT NULL CHECK (state IN ('wanted', 'held', 'taken', 'refused', 'reached', 'released', 'over', 'given up')),
    limit_ms    int NOT NULL,                -- after so long the applier goes on, whatever became of the point
    seen        text,                        -- txid_current_snapshot() of the source's snapshot
    end_lsn     pg_lsn,                      -- it sees nothing that committed there or behind
    held_ms     float8,                      -- for so long the applier stood, when it is over
    reason      text,                        -- why it was refused or given up
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10);

-- Where the copy has set sequences, which the stream does not move: until the switch they stand there.
CREATE TABLE penstock.sequence (
    migration     text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    schema_name   text NOT NULL,
    sequence_name text NOT NULL,
    last_value    bigint NOT NULL,
    is_called     boolean NOT NULL,
    set_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (migration, schema_name, sequence_name)
);

-- Comparisons of both sides: what each was about, and what came of it.
CREATE TABLE penstock.verify_pass (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration       text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    scope           text NOT NULL,           -- what was to be compared, as options say it; empty: all
    sample          int NOT NULL DEFAULT 0,  -- only so many of 10,000 rows; 0: all
    state           text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'left')),
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at        timestamptz,
    pair            int NOT NULL DEFAULT 0,  -- of snapshots, for processes that compare along: this one counts from 1 ...
    source_snapshot text,                    -- ... and has these names, while it can be taken over
    target_snapshot text,
    pair_wanted     int NOT NULL DEFAULT 0,  -- what a process that compares along waits for: where it is more than pair, another is made
    first_point     pg_lsn,                  -- the points at which rows were compared: what the source had committed before
    last_point      pg_lsn,
    points          int NOT NULL DEFAULT 0,
    longest_hold_ms float8 NOT NULL DEFAULT 0, -- of the applier
    tables          bigint NOT NULL DEFAULT 0, -- that were compared, and their rows at the source
    rows            bigint NOT NULL DEFAULT 0,
    different       bigint NOT NULL DEFAULT 0, -- tables, sequences, large objects and definitions that differ
    unanswered      bigint NOT NULL DEFAULT 0, -- that could not be compared
    repaired        bigint NOT NULL DEFAULT 0  -- rows
);

-- The work of a pass, in pieces: whoever takes one holds its row's lock until it is done.
CREATE TABLE penstock.verify_job (
    pass         bigint NOT NULL REFERENCES penstock.verify_pass ON DELETE CASCADE,
    number       int NOT NULL,
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done')),
    relations    bigint[] NOT NULL,          -- penstock.relation.id: one, or small ones together
    different    bigint[] NOT NULL DEFAULT '{}', -- of them, those that differ
    first_key    text,                       -- of a range of keys, as those of penstock.job
    last_key     text,
    source_bytes bigint NOT NULL,
    PRIMARY KEY (pass, number)
);
CREATE INDEX ON penstock.verify_job (pass, number) WHERE state = 'pending';

-- What a pass found of each table.
CREATE TABLE penstock.verify_table (
    pass         bigint NOT NULL REFERENCES penstock.verify_pass ON DELETE CASCADE,
    relation     bigint NOT NULL,
    source_rows  bigint NOT NULL,
    target_rows  bigint NOT NULL,
    equal        boolean NOT NULL,
    answered     boolean NOT NULL,           -- false: it could not be compared
    problem      text,
    PRIMARY KEY (pass, relation)
);
CREATE INDEX ON penstock.verify_table (pass) WHERE NOT (equal AND answered);

-- Each difference that was found, up to a limit for each table, and what was done about it.
CREATE TABLE penstock.verify_difference (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pass         bigint NOT NULL REFERENCES penstock.verify_pass ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN ('row', 'sequence', 'large object', 'definition')),
    object       text NOT NULL,              -- the table, the sequence, or what is defined
    key          text,                       -- of a row; or the part of a definition
    column_name  text,
    source       text,                       -- what it is there, shortened; null: it is not there, or a column is NULL
    target       text,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    repaired     text CHECK (repaired IN ('inserted', 'deleted', 'replaced', 'set'))
);
CREATE INDEX ON penstock.verify_difference (pass, object);

-- Comparisons that count today: the last complete one of each migration, and what was begun since.
CREATE VIEW penstock.verify_recent AS
    SELECT p.*, f.id AS full_pass FROM penstock.verify_pass p, LATERAL (
        SELECT coalesce(max(id), 0) AS id FROM penstock.verify_pass
         WHERE migration = p.migration AND state = 'done' AND scope = '') f
     WHERE p.id >= f.id;

-- What is known to differ, or had no answer: found by one of these, and by none found right since. A sample finds nothing right, nor
-- does one that did not come to its end. Of what is not in tables a later one of the same scope says all that there is to say.
CREATE VIEW penstock.verify_open AS
    SELECT p.migration, 'table' AS kind, concat(coalesce(r.route_schema, r.schema_name), '.', coalesce(r.route_table, r.table_name)) AS object, max(p.id) AS pass
      FROM penstock.verify_recent p JOIN penstock.verify_table t ON t.pass = p.id AND NOT (t.equal AND t.answered)
      JOIN penstock.relation r ON r.id = t.relation
     WHERE (r.copied_at > p.started_at) IS NOT TRUE
       AND NOT EXISTS (SELECT FROM penstock.verify_recent l JOIN penstock.verify_table lt ON lt.pass = l.id AND lt.relation = t.relation
            WHERE l.migration = p.migration AND l.id > p.id AND l.state = 'done' AND l.sample = 0 AND lt.equal AND lt.answered)
     GROUP BY p.migration, r.id, 3
    UNION ALL
    SELECT p.migration, d.kind, d.object, max(p.id)
      FROM penstock.verify_recent p JOIN penstock.verify_difference d ON d.pass = p.id AND d.kind <> 'row' AND d.repaired IS NULL
     WHERE NOT EXISTS (SELECT FROM penstock.verify_recent l
            WHERE l.migration = p.migration AND l.id > p.id AND l.state = 'done' AND l.scope = p.scope)
       AND NOT EXISTS (SELECT FROM penstock.verify_recent l JOIN penstock.verify_difference ld ON ld.pass = l.id
              AND ld.kind = d.kind AND ld.object = d.object AND ld.repaired IS NOT NULL
            WHERE l.migration = p.migration AND l.id > p.id)
     GROUP BY p.migration, d.kind, d.object;

-- DDL that was captured at the source, in the order of the stream, and what became of it: written in the transaction that did it.
-- One that waits was not run: the applier stops there until the operator has decided.
CREATE TABLE penstock.ddl (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration   text NOT NULL REFERENCES penstock.migration ON DELETE CASCADE,
    commit_lsn  pg_lsn NOT NULL,             -- its place in the stream: commit record of its transaction at the source ...
    sequence    bigint NOT NULL,             -- ... and its number in there
    made_at     timestamptz,                 -- at the source, by its clock
    role        text,                        -- that made it
    tag         text NOT NULL,
    statement   text,                        -- as it was written there; null where that is not known
    state       text NOT NULL CHECK (state IN ('waiting', 'applied', 'left out', 'skipped')),
    reason      text,                        -- why it waits or was left out, or what was done beside
    ran         text,                        -- what was run here, where that is something else
    milliseconds float8,
    ended_at    timestamptz,
    decision    text CHECK (decision IN ('apply', 'skip', 'edit')), -- the operator's, about one that waits
    edited      text,                        -- what is to be run instead ...
    edited_as_target boolean NOT NULL DEFAULT false, -- ... as the applier's own role
    UNIQUE (migration, commit_lsn, sequence)
);

-- What a statement of the stream runs in as the role that made it (applier/ddl/as_role.c). By itself it does nothing.
CREATE FUNCTION penstock.run_ddl() RETURNS boolean LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM pg_catalog.set_config('search_path', pg_catalog.current_setting('penstock.ddl_path'), true);
    EXECUTE pg_catalog.current_setting('penstock.ddl_statement');
    RETURN true;
END $body$;
GRANT EXECUTE ON FUNCTION penstock.run_ddl() TO PUBLIC;

-- Problems that penstock check had found, and that the operator went on with (copy --force).
CREATE TABLE penstock.accepted (
    migration   text NOT NULL,               -- its row may come later
    check_id    text NOT NULL,
    object      text NOT NULL,               -- '': whatever the check finds
    detail      text NOT NULL,               -- what it had to say then
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (migration, check_id, object)
);

-- Every step of every operation that changes something: written before it is done and again when it is.
CREATE TABLE IF NOT EXISTS penstock.journal (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration  text NOT NULL,
    operation  text NOT NULL,                -- copy, cutover, rollback, finish
    step       text NOT NULL,
    event      text NOT NULL CHECK (event IN ('begin', 'done', 'failed', 'undoing', 'undone')),
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    detail     jsonb NOT NULL DEFAULT '{}'
);
