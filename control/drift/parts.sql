-- Parts of what queries.c has that few objects have: one without them has no row. Words in @ are query_words.c's.

-- kind: type
WITH o AS (SELECT t.oid, concat(n.nspname, '.', t.typname) AS object, t.typtype, t.typbasetype, t.typcollation, t.typlen, t.typbyval,
        t.typalign, t.typstorage, t.typcategory, t.typispreferred, t.typdelim, t.typinput, t.typoutput, t.typreceive, t.typsend,
        t.typmodin, t.typmodout, t.typanalyze, t.typelem, t.typdefault
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('d', 'r', 'b') AND t.typrelid = 0 AND NOT (t.typtype = 'b' AND t.typelem <> 0 AND t.typlen = -1)
        AND @ours(n)@ AND @not_of_extension(pg_type; t.oid)@)
SELECT o.object, 'collation', @collation(o.typcollation)@ FROM o JOIN pg_type b ON b.oid = o.typbasetype
    WHERE o.typtype = 'd' AND o.typcollation <> b.typcollation
UNION ALL SELECT o.object, 'range by', concat_ws(' ', @operator_class(r.rngsubopc)@, @function(r.rngcanonical)@, @function(r.rngsubdiff)@,
        CASE WHEN r.rngcollation <> b.typcollation THEN @collation(r.rngcollation)@ END)
    FROM o JOIN pg_range r ON r.rngtypid = o.oid JOIN pg_type b ON b.oid = r.rngsubtype
UNION ALL SELECT o.object, 'made of', concat_ws(' ', o.typlen, o.typbyval, o.typalign, o.typstorage, o.typcategory, o.typispreferred,
        o.typdelim, @function(o.typinput)@, @function(o.typoutput)@, @function(o.typreceive)@, @function(o.typsend)@,
        @function(o.typmodin)@, @function(o.typmodout)@, @function(o.typanalyze)@, format_type(o.typelem, NULL), o.typcollation <> 0,
        o.typdefault)
    FROM o WHERE o.typtype = 'b'
UNION ALL SELECT o.object, concat('comment on constraint ', k.conname), d.description FROM o JOIN pg_constraint k ON k.contypid = o.oid
    JOIN pg_description d ON d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass

-- Options of columns that begin with pg_ are the server's own: late minors of 15 note a pg_attver there.
-- kind: table
WITH o AS (SELECT c.oid, @relation@ AS object, c.relkind, c.relispopulated, c.reloftype, c.reltoastrelid, c.reltype,
        @access_method@::oid AS method
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't' AND @kept(c.oid)@ AND @ours(n)@
        AND @not_of_extension(pg_class; c.oid)@),
    columns AS (SELECT o.object, o.relkind, a.attname, a.attoptions, a.attfdwoptions, @compression@ AS compression
    FROM pg_attribute a JOIN o ON o.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
        AND (a.attoptions IS NOT NULL OR a.attfdwoptions IS NOT NULL OR @compression@ <> ''))
SELECT o.object, 'options of its TOAST table', @options(t.reloptions)@ FROM o JOIN pg_class t ON t.oid = o.reltoastrelid
    WHERE t.reloptions IS NOT NULL
UNION ALL SELECT o.object, 'access method', m.amname::text FROM o JOIN pg_am m ON m.oid = o.method WHERE m.amname <> 'heap'
UNION ALL SELECT object, 'of type', format_type(reloftype, NULL) FROM o WHERE reloftype <> 0
UNION ALL SELECT object, 'has rows', 'no' FROM o WHERE relkind = 'm' AND NOT relispopulated
UNION ALL SELECT o.object, 'foreign table of', concat(s.srvname, ' ', @options(f.ftoptions)@) FROM o
    JOIN pg_foreign_table f ON f.ftrelid = o.oid JOIN pg_foreign_server s ON s.oid = f.ftserver
UNION ALL SELECT o.object, 'comment on type', d.description FROM o JOIN pg_description d ON d.objoid = o.reltype
    AND d.classoid = 'pg_type'::regclass WHERE o.relkind = 'c'
@grants@ SELECT o.object, 'grants on type', (SELECT string_agg(@privilege@, ', ' ORDER BY @privilege@ COLLATE "C")
        FROM aclexplode(t.typacl) x)
    FROM o JOIN pg_type t ON t.oid = o.reltype WHERE o.relkind = 'c' AND t.typacl IS NOT NULL @end@
UNION ALL SELECT object, concat('options of column ', attname), value FROM columns, LATERAL (SELECT array_to_string(ARRAY(SELECT x
        FROM unnest(attoptions) x WHERE x !~ '^pg_' ORDER BY 1), ', ') AS value) v
    WHERE value <> '' AND relkind IN ('r', 'p', 'm', 'f')
UNION ALL SELECT object, concat('foreign options of column ', attname), @options(attfdwoptions)@ FROM columns
    WHERE attfdwoptions IS NOT NULL
UNION ALL SELECT object, concat('compression of column ', attname), compression FROM columns
    WHERE compression <> '' AND relkind IN ('r', 'p', 'm', 'f')

-- kind: index
WITH o AS (SELECT c.oid, @relation@ AS object, i.indisclustered FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND c.relname !~ '^penstock_' AND @kept(i.indrelid)@ AND @ours(n)@
        AND @not_of_extension(pg_class; i.indrelid)@)
SELECT object, 'table is clustered by it', 'yes' FROM o WHERE indisclustered
UNION ALL SELECT o.object, concat('statistics target of column ', a.attnum), a.attstattarget::text
    FROM o JOIN pg_attribute a ON a.attrelid = o.oid WHERE a.attstattarget >= 0

-- What enforces a FOREIGN KEY are triggers, which can be disabled like others.
-- kind: constraint
SELECT concat(@relation@, ' ', k.conname), concat('fires on ', t.tgrelid::regclass::text, ', ', t.tgfoid::regproc::text), @enabled(t.tgenabled)@
    FROM pg_constraint k JOIN pg_trigger t ON t.tgconstraint = k.oid AND t.tgisinternal AND t.tgenabled <> 'O'
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND @kept(c.oid)@ AND @ours(n)@ AND @not_of_extension(pg_class; c.oid)@

-- Those of partitions that come from their parent's: only what is enabled in another way than that is.
-- kind: trigger
SELECT concat(@relation@, ' ', t.tgname), 'enabled', @enabled(t.tgenabled)@ FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_trigger p ON p.oid = @parent_trigger@
    WHERE t.tgenabled <> p.tgenabled AND t.tgconstraint = 0 AND t.tgname !~ '^penstock_' AND @kept(c.oid)@ AND @ours(n)@

-- kind: function
WITH o AS (SELECT p.oid, concat(n.nspname, '.', p.proname, '(', @arguments_of(p.oid; pg_get_function_identity_arguments)@, ')') AS object,
        p.procost, p.prorows, p.probin, p.protrftypes, @support@ AS support
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE @ours(n)@ AND @not_of_extension(pg_proc; p.oid)@
        AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i'))
SELECT object, 'planned as', concat('COST ', procost::text, ' ROWS ', prorows::text, ' ', CASE WHEN support <> 0 THEN @function(support)@ END)
    FROM o
UNION ALL SELECT object, 'library', probin::text FROM o WHERE probin IS NOT NULL
UNION ALL SELECT object, 'transforms', array_to_string(ARRAY(SELECT format_type(x, NULL) FROM unnest(protrftypes) x ORDER BY 1), ', ')
    FROM o WHERE protrftypes IS NOT NULL
UNION ALL SELECT o.object, 'aggregate by', concat_ws(' ', a.aggkind, a.aggnumdirectargs, @function(a.aggcombinefn)@,
        @function(a.aggserialfn)@, @function(a.aggdeserialfn)@, @function(a.aggmtransfn)@, @function(a.aggminvtransfn)@,
        @function(a.aggmfinalfn)@, a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify,
        a.aggsortop::regoperator, a.aggtransspace, format_type(a.aggmtranstype, NULL), a.aggmtransspace, a.aggminitval)
    FROM o JOIN pg_aggregate a ON a.aggfnoid = o.oid

-- kind: operator
SELECT concat(n.nspname, '.', p.oprname, ' (', format_type(p.oprleft, NULL), ', ', format_type(p.oprright, NULL), ')'), 'used for',
        concat(CASE WHEN p.oprcanmerge THEN 'MERGES ' END, CASE WHEN p.oprcanhash THEN 'HASHES' END)
    FROM pg_operator p JOIN pg_namespace n ON n.oid = p.oprnamespace
    WHERE p.oprcode <> 0 AND (p.oprcanmerge OR p.oprcanhash) AND @ours(n)@ AND @not_of_extension(pg_operator; p.oid)@

-- kind: cast
SELECT concat(format_type(c.castsource, NULL), ' to ', format_type(c.casttarget, NULL)), 'comment', d.description FROM pg_cast c
    JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_cast'::regclass WHERE @users(pg_cast; c.oid)@

-- kind: collation
SELECT concat(n.nspname, '.', c.collname), x.part, x.value FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
    CROSS JOIN LATERAL (VALUES (CASE c.collprovider WHEN 'i' THEN 'ICU locale' ELSE 'locale' END, @locale@::text),
        ('LC_CTYPE', CASE c.collprovider WHEN 'c' THEN c.collctype::text END),
        ('deterministic', CASE WHEN NOT @deterministic@ THEN 'no' END)) AS x (part, value)
    WHERE x.value IS NOT NULL AND @ours(n)@ AND @not_of_extension(pg_collation; c.oid)@

-- kind: text search dictionary
SELECT concat(n.nspname, '.', d.dictname), 'template', @named(pg_ts_template; tmplname; tmplnamespace; d.dicttemplate)@
    FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace WHERE @ours(n)@ AND @not_of_extension(pg_ts_dict; d.oid)@

-- kind: text search configuration
SELECT concat(n.nspname, '.', c.cfgname), 'parser', @named(pg_ts_parser; prsname; prsnamespace; c.cfgparser)@
    FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace WHERE @ours(n)@ AND @not_of_extension(pg_ts_config; c.oid)@

-- kind: extension
SELECT extname::text, 'schema', extnamespace::regnamespace::text FROM pg_extension WHERE extname <> 'plpgsql'
