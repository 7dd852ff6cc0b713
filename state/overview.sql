-- The whole state of migration $1 as one JSON document. One statement, so that all numbers in it are of one moment.
SELECT json_build_object(
    'now', now(),
    'migration', (SELECT to_jsonb(m) - 'ddl_token' - 'schema_seen' FROM penstock.migration m WHERE name = $1),
    'others', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM penstock.migration WHERE name <> $1),
    'applier', (
        SELECT json_build_object(
            'state', state, 'pid', pid, 'host', host, 'workers', workers,
            'started_at', started_at, 'updated_at', updated_at,
            'report_age_seconds', round(greatest(extract(epoch FROM now() - updated_at), 0)::numeric, 3),
            'running_seconds', round(extract(epoch FROM updated_at - started_at)::numeric, 3),
            'received_lsn', received_lsn, 'low_water_lsn', low_water_lsn, 'source_lsn', source_lsn,
            'last_commit_time', last_commit_time, 'heartbeat_time', heartbeat_time,
            'complete_until', greatest(last_commit_time, heartbeat_time),
            'complete_by', CASE WHEN heartbeat_time > last_commit_time OR last_commit_time IS NULL AND heartbeat_time IS NOT NULL
                                THEN 'heartbeat' WHEN last_commit_time IS NOT NULL THEN 'commit' END,
            'complete_age_seconds', round(extract(epoch FROM now() - greatest(last_commit_time, heartbeat_time))::numeric, 3),
            'transactions', transactions, 'changes', changes, 'statistics', statistics, 'rates', rates, 'error', error,
            'blocked', coalesce(blocked, '[]'))
        FROM penstock.applier WHERE migration = $1),
    'conflicts', (
        SELECT json_build_object(
            'count', count(*),
            'overwritten', count(*) FILTER (WHERE action = 'overwritten'),
            'skipped', count(*) FILTER (WHERE action = 'skipped'),
            'last_at', max(at))
        FROM penstock.conflict WHERE migration = $1),
    'accepted', (
        SELECT json_build_object(
            'count', count(*),
            'first', coalesce(json_agg(json_build_object('check', check_id, 'object', object, 'detail', detail, 'at', at)
                                       ORDER BY check_id, object) FILTER (WHERE row <= 50), '[]'))
        FROM (SELECT *, row_number() OVER (ORDER BY check_id, object) AS row FROM penstock.accepted WHERE migration = $1) f),
    'ddl', (
        SELECT json_build_object(
            'applied', count(*) FILTER (WHERE state = 'applied'),
            'left_out', count(*) FILTER (WHERE state = 'left out'),
            'skipped', count(*) FILTER (WHERE state = 'skipped'),
            'waiting', (SELECT json_build_object('id', id, 'tag', tag, 'lsn', commit_lsn, 'statement', left(statement, 500),
                'reason', reason, 'decision', decision) FROM penstock.ddl WHERE migration = $1 AND state = 'waiting'
                ORDER BY commit_lsn, sequence LIMIT 1))
        FROM penstock.ddl WHERE migration = $1),
    'copy', (
        SELECT json_build_object(
            'tables', count(*),
            'tables_copied', count(*) FILTER (WHERE copy_state = 'copied'),
            'tables_copying', count(*) FILTER (WHERE copy_state = 'copying'),
            'bytes', coalesce(sum(source_bytes), 0),
            'bytes_copied', coalesce(sum(source_bytes) FILTER (WHERE copy_state = 'copied'), 0),
            'rows_copied', coalesce(sum(copied_rows), 0),
            'held', (SELECT coalesce(CASE WHEN t.held_since IS NOT NULL THEN t.reason END, p.said ->> 'held')
                       FROM penstock.copy_progress p LEFT JOIN penstock.throttle t USING (migration)
                      WHERE p.migration = $1 AND p.updated_at > now() - interval '10 s'),
            -- Of a copy that has not been heard of for ten seconds nothing is known.
            'running', (SELECT said FROM penstock.copy_progress p WHERE p.migration = $1 AND p.updated_at > now() - interval '10 s'),
            'again', coalesce(json_agg(json_build_object(
                'table', format('%I.%I', schema_name, table_name), 'lsn', recopy_lsn, 'reason', recopy_reason)
                ORDER BY schema_name, table_name) FILTER (WHERE recopy_lsn IS NOT NULL AND copy_state <> 'copied'), '[]'))
        FROM penstock.relation WHERE migration = $1),
    'selection', (
        SELECT json_build_object(
            'rules', (SELECT coalesce(json_agg(json_build_object('rule', selection[n], 'pattern', selection[n + 1]) ORDER BY n), '[]')
                      FROM penstock.migration, generate_series(1, cardinality(selection), 2) AS n WHERE name = $1),
            'relations_left', count(*) FILTER (WHERE extent = 'all'),
            'rows_left', count(*) FILTER (WHERE extent = 'rows'),
            'first', (SELECT coalesce(json_agg(json_build_object('relation', format('%I.%I', schema_name, relation_name),
                          'extent', extent, 'reason', reason) ORDER BY schema_name, relation_name), '[]')
                      FROM (SELECT * FROM penstock.left_behind WHERE migration = $1
                            ORDER BY schema_name, relation_name LIMIT 20) f))
        FROM penstock.left_behind WHERE migration = $1),
    -- An applier that has not been heard of for ten seconds applies nothing.
    'lanes', (
        SELECT json_build_object(
            'count', count(*), 'lowest_commit_lsn', min(commit_lsn), 'highest_commit_lsn', max(commit_lsn),
            'list', coalesce(json_agg(json_build_object(
                'lane', lane, 'commit_lsn', commit_lsn, 'sequence', sequence,
                'rows', coalesce((said ->> 'rows')::bigint, 0),
                'transactions', coalesce((said ->> 'transactions')::bigint, 0),
                'rows_per_second', CASE WHEN fresh THEN (said ->> 'rows_per_second')::float8 ELSE 0 END,
                'transactions_per_second', CASE WHEN fresh THEN (said ->> 'transactions_per_second')::float8 ELSE 0 END)
                ORDER BY lane), '[]'))
        FROM penstock.lane l LEFT JOIN penstock.applier a USING (migration),
            LATERAL (SELECT a.lanes -> l.lane AS said) s,
            LATERAL (SELECT said IS NOT NULL AND a.state = 'streaming'
                            AND a.updated_at > now() - interval '10 s' AS fresh) f
        WHERE migration = $1),
    'journal', (
        SELECT coalesce(json_agg(j ORDER BY j.id), '[]')
        FROM (SELECT id, at, operation, step, event, detail FROM penstock.journal
              WHERE migration = $1 ORDER BY id DESC LIMIT 10) j),
    -- Comparisons: the last full pass that came to its end, and the one that runs or was interrupted.
    'verify', (
        SELECT json_build_object(
            'last', (SELECT json_build_object('pass', id, 'started_at', started_at, 'ended_at', ended_at,
                        'age_seconds', round(extract(epoch FROM now() - ended_at)::numeric, 1),
                        'first_point', first_point, 'last_point', last_point, 'points', points,
                        'longest_hold_ms', round(longest_hold_ms::numeric, 1), 'tables', tables, 'rows', rows,
                        'different', different, 'unanswered', unanswered, 'repaired', repaired)
                     FROM penstock.verify_pass WHERE migration = $1 AND state = 'done' AND scope = '' ORDER BY id DESC LIMIT 1),
            'open', (SELECT json_build_object('pass', p.id, 'scope', p.scope, 'started_at', p.started_at,
                        'pieces', count(j.*), 'pieces_done', count(*) FILTER (WHERE j.state = 'done'),
                        'tables_different', (SELECT count(*) FROM penstock.verify_table t WHERE t.pass = p.id AND NOT t.equal))
                     FROM penstock.verify_pass p LEFT JOIN penstock.verify_job j ON j.pass = p.id
                     WHERE p.migration = $1 AND p.state = 'running' GROUP BY p.id),
            -- Of a part of it, or a sample, since the full one: the last first.
            'since', (SELECT coalesce(json_agg(json_build_object('pass', id, 'scope', scope, 'ended_at', ended_at,
                        'age_seconds', round(extract(epoch FROM now() - ended_at)::numeric, 1), 'tables', tables, 'rows', rows,
                        'different', different, 'unanswered', unanswered, 'repaired', repaired) ORDER BY id DESC), '[]')
                      FROM (SELECT * FROM penstock.verify_recent WHERE migration = $1 AND state = 'done' AND id > full_pass
                            ORDER BY id DESC LIMIT 5) s),
            'still_different', (SELECT json_build_object('count', count(*),
                        'data', count(*) FILTER (WHERE kind <> 'definition'),
                        'first', coalesce(json_agg(json_build_object('kind', kind, 'object', object, 'pass', pass)
                                                   ORDER BY n) FILTER (WHERE n <= 20), '[]'))
                      FROM (SELECT *, row_number() OVER (ORDER BY kind = 'definition', kind <> 'table', kind, object) AS n
                              FROM penstock.verify_open WHERE migration = $1) o),
            'repaired', (SELECT coalesce(sum(repaired), 0) FROM penstock.verify_pass WHERE migration = $1))),
    -- Who holds the locks of state_lock.
    'running', (
        SELECT json_build_object(
            'applier', coalesce(bool_or(k = hashtextextended('penstock:applier:' || $1, 0)), false),
            'control', coalesce(bool_or(k = hashtextextended('penstock:control:' || $1, 0)), false))
        FROM (SELECT classid::bigint << 32 | objid::bigint AS k FROM pg_locks
              WHERE locktype = 'advisory' AND granted AND objsubid = 1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) l),
    -- From the first hold that no undo and no release has ended: clients wait at the proxy since then.
    'held', (
        SELECT json_build_object('operation', min(operation), 'since', min(at),
            'seconds', round(greatest(extract(epoch FROM now() - min(at)), 0)::numeric, 1))
        FROM penstock.journal
        WHERE migration = $1 AND operation IN ('cutover', 'rollback') AND step = 'hold' AND event = 'begin'
            AND id > (SELECT coalesce(max(id), 0) FROM penstock.journal
                      WHERE migration = $1 AND operation IN ('cutover', 'rollback')
                        AND (step = 'hold' AND event = 'undone' OR step = 'release' AND event = 'done'))
        HAVING count(*) > 0),
    'fence', (
        SELECT json_build_object('event', event, 'at', at, 'detail', detail)
        FROM penstock.journal WHERE migration = $1 AND operation = 'cutover' AND step = 'fence'
        ORDER BY id DESC LIMIT 1))::text
