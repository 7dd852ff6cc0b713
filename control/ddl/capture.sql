-- What captures DDL at the source: four event triggers and their functions, in schema penstock of the source. Made by
-- `penstock copy --ddl capture`, removed by `penstock finish`. Each may be run again: functions are replaced.
--
-- A statement's event trigger runs in the statement's transaction, and writes one message into the WAL at that place. It takes no
-- lock beyond those of reading catalogs, and whatever goes wrong in it is caught: the statement of the application goes through,
-- and the message says that it was not captured.
--
-- Event triggers run as whoever makes the DDL, who need not have any right here: only penstock_ddl_write runs as its owner, so
-- that it may set lc_messages (the words of a call stack) and read the seal's key, and everything that runs before has each name's
-- schema.
--
-- Anybody may write a message into the WAL (pg_logical_emit_message), and what is in these is run on the target. So each is
-- sealed with a key that only the owner can read, and the role in it is the one that the session has by logging in or SET ROLE,
-- never one that a caller of the function says. Where a SECURITY DEFINER function acts for another role, that one is told beside.

CREATE TABLE IF NOT EXISTS penstock.penstock_ddl_seal (token bytea NOT NULL);
REVOKE ALL ON penstock.penstock_ddl_seal FROM PUBLIC;

-- One message. What the caller's search_path and role are is told by the caller, because this function has its own. The end of a
-- statement that did nothing (IF NOT EXISTS) or concerns nothing that lives longer than the session is only counted.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_write(happened text, tag text, acting text, path text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lc_messages = 'C' SET extra_float_digits = 3 SET quote_all_identifiers = off AS $body$
DECLARE
    stack text;
    frame text := 'penstock_ddl_tell() line ';
    query text := current_query();
    place text := concat(extract(epoch FROM statement_timestamp()), ':', md5(query));
    count int := 0;
    seen int;
    foreign_to_us int := 0;
    objects jsonb;
    dropped jsonb;
    relations oid[];
    tables jsonb;
    rewritten jsonb;
    rewrite text;
    has_rows boolean;
    outer_role text := CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END;
    token bytea;
    body bytea;
BEGIN
    IF tag = 'REINDEX' THEN
        RETURN; -- fires from 17 on, and defines nothing
    END IF;
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF strpos(stack, frame) = 0 THEN
        RAISE 'only the event triggers of penstock call this';
    END IF;
    -- Ours are the frames up to that of the event trigger's own function; what is left called the statement.
    stack := substr(stack, strpos(stack, frame));
    stack := CASE WHEN strpos(stack, chr(10)) > 0 THEN substr(stack, strpos(stack, chr(10)) + 1) ELSE '' END;

    IF happened = 'end' THEN
        SELECT count(*), count(*) FILTER (WHERE c.in_extension OR c.schema_name IN ('pg_temp', 'penstock')
                    OR c.object_identity ~ ' on pg_temp\.'),
               jsonb_agg(jsonb_build_object('class', c.classid::regclass::text, 'oid', c.objid::int8, 'sub', c.objsubid,
                    'tag', c.command_tag, 'type', c.object_type, 'schema', c.schema_name, 'identity', c.object_identity))
                 FILTER (WHERE NOT c.in_extension),
               array_agg(c.objid) FILTER (WHERE c.classid = 'pg_class'::regclass AND NOT c.in_extension)
          INTO seen, foreign_to_us, objects, relations
          FROM pg_event_trigger_ddl_commands() c;
    ELSE
        SELECT count(*), count(*) FILTER (WHERE d.is_temporary OR d.schema_name = 'penstock'),
               jsonb_agg(jsonb_build_object('class', d.classid::regclass::text, 'oid', d.objid::int8, 'type', d.object_type,
                    'identity', d.object_identity, 'original', d.original)) FILTER (WHERE d.objsubid = 0)
          INTO seen, foreign_to_us, dropped
          FROM pg_event_trigger_dropped_objects() d;
    END IF;

    -- Which of a string's statements it is: the number of those that came to their end before it. Kept in a setting, which goes
    -- back with the transaction or savepoint that the statement goes back with.
    IF stack = '' THEN
        IF split_part(current_setting('penstock.ddl_place', true), '/', 1) = place THEN
            count := split_part(current_setting('penstock.ddl_place', true), '/', 2)::int;
        END IF;
        count := count + 1;
        IF happened = 'end' AND NOT (seen > 0 AND foreign_to_us = seen AND objects IS NULL) THEN
            PERFORM set_config('penstock.ddl_place', concat(place, '/', count), false);
        END IF;
    END IF;
    -- What ALTER TABLE drops is told of at its end, as what it writes anew is.
    IF happened = 'drop' AND tag = 'ALTER TABLE' THEN
        PERFORM set_config('penstock.ddl_dropped', coalesce(dropped::text, ''), false);
        RETURN;
    END IF;
    IF happened = 'end' AND coalesce(current_setting('penstock.ddl_dropped', true), '') <> '' THEN
        dropped := CASE WHEN tag = 'ALTER TABLE' THEN current_setting('penstock.ddl_dropped')::jsonb END;
        PERFORM set_config('penstock.ddl_dropped', '', false);
    END IF;
    rewrite := coalesce(current_setting('penstock.ddl_rewritten', true), '');
    IF happened = 'end' AND rewrite <> '' THEN
        PERFORM set_config('penstock.ddl_rewritten', '', false);
    END IF;
    -- DROP is told of by what it dropped, everything else at its end.
    IF (happened = 'drop') <> (tag LIKE 'DROP %' AND tag <> 'DROP OWNED')
       OR seen = foreign_to_us AND tag NOT IN ('DROP OWNED', 'REASSIGN OWNED') THEN
        RETURN;
    END IF;

    -- The tables that it may have changed, as they are now: those named, those of indexes and triggers, all of a schema that has another name, those of a type
    -- that has other attributes, and whatever inherits from one of them.
    WITH RECURSIVE touched AS (
             SELECT r.oid FROM unnest(relations) AS r (oid)
             UNION SELECT c.oid FROM pg_class c, jsonb_array_elements(objects) o
                    WHERE o ->> 'class' = 'pg_namespace' AND tag = 'ALTER SCHEMA' AND c.relnamespace = (o ->> 'oid')::oid
             UNION SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = ANY (relations)
             UNION SELECT t.tgrelid FROM pg_trigger t, jsonb_array_elements(objects) o
                    WHERE o ->> 'class' = 'pg_trigger' AND t.oid = (o ->> 'oid')::oid
             UNION SELECT c.oid FROM pg_class c JOIN pg_type y ON y.oid = c.reloftype WHERE y.typrelid = ANY (relations)),
         family AS (
             SELECT oid FROM touched
             UNION SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid)
    SELECT jsonb_agg(jsonb_build_object('oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
               'persistence', c.relpersistence,
               'columns', (SELECT jsonb_agg(concat_ws(':', a.attnum, a.atttypid, a.atttypmod, a.attname) ORDER BY a.attnum)
                             FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
               'list', (SELECT string_agg(concat('"', replace(a.attname, '"', '""'), '"'), ', ' ORDER BY a.attnum)
                          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                           AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = ''),
               'key', CASE WHEN c.relkind = 'r' AND c.relreplident = 'd' THEN
                   (SELECT format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname,
                                  pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p') END,
               'options', CASE WHEN tag IN ('CREATE TABLE AS', 'SELECT INTO') THEN array_to_string(c.reloptions, ', ') END,
               'types', CASE WHEN tag IN ('CREATE TABLE AS', 'SELECT INTO') THEN
                   (SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                               'collation', (SELECT concat(quote_ident(cn.nspname), '.', quote_ident(co.collname))
                                   FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace JOIN pg_type y
                                     ON y.oid = a.atttypid WHERE co.oid = a.attcollation AND a.attcollation <> y.typcollation))
                            ORDER BY a.attnum)
                      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
               'missing', CASE WHEN tag = 'ALTER TABLE' THEN
                   (SELECT jsonb_object_agg(a.attname, jsonb_build_object('number', a.attnum,
                               'value', (a.attmissingval::text::text[])[1], 'type', format_type(a.atttypid, a.atttypmod)))
                      FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
                     WHERE a.attrelid = c.oid AND a.atthasmissing AND a.attmissingval IS NOT NULL AND NOT a.attisdropped
                       AND y.typdelim = ',') END))
      INTO tables
      FROM family f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't';

    -- Tables that were written anew: of those without rows nothing is to be said.
    IF happened = 'end' THEN
        FOR place IN SELECT unnest(string_to_array(trim(TRAILING ',' FROM rewrite), ',')) LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', split_part(place, ':', 1)::oid::regclass) INTO has_rows;
            IF has_rows THEN
                rewritten := coalesce(rewritten, '[]') || jsonb_build_object('oid', split_part(place, ':', 1)::int8,
                    'reason', split_part(place, ':', 2)::int);
            END IF;
        END LOOP;
    END IF;

    body := convert_to(jsonb_strip_nulls(jsonb_build_object(
        -- A long string is sent with each of its statements only so far: ten thousand of them would fill the WAL.
        'version', 1, 'event', happened, 'tag', tag, 'number', count,
        'query', CASE WHEN length(query) <= 10000 OR stack = '' AND count::int8 * length(query) <= 67108864 THEN query END, 'stack', nullif(stack, ''),
        'role', outer_role, 'acting', nullif(acting, outer_role), 'path', path, 'objects', objects, 'dropped', dropped,
        'tables', tables, 'rewritten', rewritten, 'xid', txid_current(), 'at', extract(epoch FROM clock_timestamp()),
        'settings', (SELECT jsonb_object_agg(s.name, current_setting(s.name, true))
            FROM unnest(ARRAY['DateStyle', 'IntervalStyle', 'TimeZone', 'standard_conforming_strings', 'array_nulls', 'xmloption',
                'transform_null_equals', 'check_function_bodies', 'default_tablespace', 'default_with_oids', 'lc_monetary',
                'lc_numeric', 'lc_time', 'row_security']) AS s (name)
           WHERE current_setting(s.name, true) IS NOT NULL)))::text,
        CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END);
    SELECT k.token INTO STRICT token FROM penstock.penstock_ddl_seal k;
    PERFORM pg_logical_emit_message(true, 'penstock.ddl',
        convert_to(encode(sha256(token || sha256(token || body)), 'hex'), 'SQL_ASCII') || body);
    -- Decoding takes the end of a message's record for its place (decode.c, DecodeLogicalMsgOp, all majors), which is where the next
    -- record begins: a row behind it that is written in another subtransaction would have the same, and may come first. This one
    -- stands between them.
    PERFORM pg_logical_emit_message(true, 'penstock.ddl.end', '');
END $body$;

-- The end of a statement, or what it dropped; and what is left when the message could not be made: first with the statement's text,
-- then with nothing that could fail.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_tell() RETURNS event_trigger LANGUAGE plpgsql AS $body$
DECLARE
    code text;
    words text;
BEGIN
    PERFORM penstock.penstock_ddl_write(CASE WHEN tg_event OPERATOR(pg_catalog.=) 'sql_drop' THEN 'drop' ELSE 'end' END,
        tg_tag, current_user::pg_catalog.text, pg_catalog.current_setting('search_path'));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, words = MESSAGE_TEXT;
    BEGIN
        PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl', pg_catalog.convert_to(pg_catalog.jsonb_build_object(
            'version', 1, 'event', 'error', 'tag', tg_tag, 'code', code, 'words', words, 'role', current_user,
            'query', pg_catalog.current_query())::pg_catalog.text, 'UTF8'));
    EXCEPTION WHEN OTHERS THEN
        BEGIN
            PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl', pg_catalog.concat(
                '{"version": 1, "event": "error", "tag": "', tg_tag, '", "code": "', code, '"}'));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'penstock could not capture this statement: %', sqlerrm;
        END;
    END;
END $body$;

-- A table is about to be written anew; told of at the statement's end. Without this note the table would count as one that is not.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_rewrite() RETURNS event_trigger LANGUAGE plpgsql AS $body$
DECLARE
    code text;
BEGIN
    PERFORM pg_catalog.set_config('penstock.ddl_rewritten', pg_catalog.concat(
        pg_catalog.current_setting('penstock.ddl_rewritten', true), pg_catalog.pg_event_trigger_table_rewrite_oid(), ':',
        pg_catalog.pg_event_trigger_table_rewrite_reason(), ','), false);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE;
    BEGIN
        PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl', pg_catalog.concat(
            '{"version": 1, "event": "error", "tag": "', tg_tag, '", "code": "', code, '"}'));
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'penstock could not capture this statement: %', sqlerrm;
    END;
END $body$;

-- CREATE TABLE AS writes its rows before its end is told of: whoever meets rows of a table that he does not know, behind this and in
-- the same transaction, may make it as the stream describes it.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_start() RETURNS event_trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl.start', '');
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'penstock could not capture the beginning of this statement: %', sqlerrm;
END $body$;

COMMENT ON FUNCTION penstock.penstock_ddl_write(text, text, text, text) IS 'Penstock: writes DDL into the stream of a migration';
REVOKE ALL ON FUNCTION penstock.penstock_ddl_write(text, text, text, text) FROM PUBLIC;
GRANT USAGE ON SCHEMA penstock TO PUBLIC;
GRANT EXECUTE ON FUNCTION penstock.penstock_ddl_write(text, text, text, text) TO PUBLIC;

DROP EVENT TRIGGER IF EXISTS penstock_ddl_start;
DROP EVENT TRIGGER IF EXISTS penstock_ddl_end;
DROP EVENT TRIGGER IF EXISTS penstock_ddl_drop;
DROP EVENT TRIGGER IF EXISTS penstock_ddl_rewrite;
CREATE EVENT TRIGGER penstock_ddl_start ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS', 'SELECT INTO')
    EXECUTE PROCEDURE penstock.penstock_ddl_start();
CREATE EVENT TRIGGER penstock_ddl_end ON ddl_command_end EXECUTE PROCEDURE penstock.penstock_ddl_tell();
CREATE EVENT TRIGGER penstock_ddl_drop ON sql_drop EXECUTE PROCEDURE penstock.penstock_ddl_tell();
CREATE EVENT TRIGGER penstock_ddl_rewrite ON table_rewrite EXECUTE PROCEDURE penstock.penstock_ddl_rewrite();
-- What a session under session_replication_role = replica defines is defined all the same.
ALTER EVENT TRIGGER penstock_ddl_start ENABLE ALWAYS;
ALTER EVENT TRIGGER penstock_ddl_end ENABLE ALWAYS;
ALTER EVENT TRIGGER penstock_ddl_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER penstock_ddl_rewrite ENABLE ALWAYS;
