/*
 * Sessions have the search_path pg_catalog, so that every other name in a definition comes with its schema. Texts are put
 * together by concat and format, never by ||, whose meaning casts of the user's may change.
 *
 * Written the same for all majors:
 *
 *     EXECUTE PROCEDURE of a trigger is EXECUTE FUNCTION from 12 on
 *     grants are spelled out, the ones by default, too; MAINTAIN (17) is not looked at
 *     the role that made the cluster (OID 10) is the same on both, whatever its name
 *     lists of names in settings are compared without quotes, which quote_all_identifiers puts around each
 *     NOT NULL constraints have rows of their own in pg_constraint from 18 on
 *     constructors of range types are left out: from 14 on there are those of multiranges, too
 *     triggers and constraints of partitions that come from their parent: the parent's are compared (and parts.sql)
 */
#include "query_parts.h"

#include "noticed.h"

static const CatalogQuery queries[] = {
    {"schema", "WITH o AS (SELECT n.oid, n.nspname::text AS object, n.nspowner, n.nspacl FROM pg_namespace n "
               "WHERE " OURS("n") " AND " NOT_OF_EXTENSION(
                   "pg_namespace", "n.oid") ")"
                                            " SELECT object, 'there', '' FROM o " OWNER("o.nspowner") GRANTS(
                                                "o.nspacl", "'n'", "o.nspowner") COMMENT("pg_namespace")},
    {"extension", "SELECT extname::text AS object, 'there' AS part, '' AS value FROM pg_extension"},
    {"type",
     "WITH o AS (SELECT t.oid, concat(n.nspname, '.', t.typname) AS object, t.typtype, "
     "t.typbasetype, t.typtypmod,"
     " t.typnotnull, t.typdefault, t.typowner, t.typacl FROM pg_type t JOIN pg_namespace n"
     "   ON n.oid = t.typnamespace WHERE t.typtype IN ('d', 'e', 'r', 'b') AND t.typrelid = 0 "
     "AND " OURS("n") "   AND NOT (t.typtype = 'b' AND t.typelem <> 0 AND t.typlen = -1) "
                      "AND " NOT_OF_EXTENSION(
                          "pg_type", "t.oid") ")"
                                              " SELECT object, 'kind', CASE typtype WHEN 'd' THEN 'domain' "
                                              "WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' ELSE 'base type' "
                                              "END"
                                              "   FROM o"
                                              " UNION ALL SELECT object, 'domain of', "
                                              "concat(format_type(typbasetype, typtypmod), CASE WHEN "
                                              "typnotnull THEN"
                                              "   ' NOT NULL' END, ' DEFAULT ' ::text, coalesce(typdefault, "
                                              "'none')) FROM o WHERE typtype = 'd'"
                                              " UNION ALL SELECT object, 'labels', (SELECT "
                                              "string_agg(quote_literal(enumlabel), ', ' ORDER BY "
                                              "enumsortorder)"
                                              "   FROM pg_enum e WHERE e.enumtypid = o.oid) FROM o WHERE "
                                              "typtype = 'e'"
                                              " UNION ALL SELECT object, 'range of', "
                                              "format_type(r.rngsubtype, NULL) FROM o JOIN pg_range r ON "
                                              "r.rngtypid = o.oid"
                                              " UNION ALL SELECT o.object, concat('constraint ', "
                                              "c.conname), pg_get_constraintdef(c.oid) FROM o"
                                              "   JOIN pg_constraint c ON c.contypid = o.oid WHERE "
                                              "c.contype = 'c'" OWNER("o.typowner")
                                                  GRANTS("o.typacl", "'T'", "o.typowner") COMMENT("pg_type")},
    {"table",
     "WITH o AS (SELECT c.oid, " RELATION
     " AS object, c.relname, c.relkind, c.relpersistence, c.relispartition, c.relowner,"
     "     c.relacl, c.reloptions, c.relreplident, c.relrowsecurity, c.relforcerowsecurity, "
     "c.relpartbound"
     "   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
     "   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't' "
     "AND " OURS("n") " AND " IS_KEPT("c.oid") "     AND " NOT_OF_EXTENSION(
         "pg_class", "c.oid") ")"
                              " SELECT object, 'kind', CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN "
                              "'partitioned table' WHEN 'v' THEN 'view'"
                              "   WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE "
                              "'composite type' END FROM o"
                              " UNION ALL SELECT object, 'persistence', CASE relpersistence WHEN 'u' THEN "
                              "'UNLOGGED' ELSE 'LOGGED' END FROM o"
                              "   WHERE relkind IN ('r', 'm')"
                              " UNION ALL SELECT object, 'options', array_to_string(ARRAY(SELECT "
                              "unnest(reloptions) ORDER BY 1), ', ') FROM o"
                              "   WHERE reloptions IS NOT NULL"
                              " UNION ALL SELECT object, 'replica identity', CASE relreplident WHEN 'f' "
                              "THEN 'FULL' WHEN 'n' THEN 'NOTHING'"
                              "   WHEN 'i' THEN 'an index' ELSE 'DEFAULT' END FROM o WHERE relkind IN ('r', "
                              "'p')"
                              " UNION ALL SELECT object, 'row security', concat(CASE WHEN relrowsecurity "
                              "THEN 'enabled' ELSE 'disabled' END,"
                              "   CASE WHEN relforcerowsecurity THEN ', forced' END) FROM o WHERE "
                              "relrowsecurity OR relforcerowsecurity"
                              " UNION ALL SELECT object, 'partition key', pg_get_partkeydef(oid) FROM o "
                              "WHERE relkind = 'p'"
                              " UNION ALL SELECT o.object, concat(CASE WHEN o.relispartition THEN "
                              "'partition of ' ELSE 'inherits ' END, pn.nspname,"
                              "     '.', pc.relname), coalesce(pg_get_expr(o.relpartbound, o.oid), '')"
                              "   FROM o JOIN pg_inherits i ON i.inhrelid = o.oid JOIN pg_class pc ON "
                              "pc.oid = i.inhparent"
                              "   JOIN pg_namespace pn ON pn.oid = pc.relnamespace"
                              " UNION ALL SELECT object, 'definition', regexp_replace(pg_get_viewdef(oid), "
                              "'\\s+', ' ', 'g') FROM o"
                              "   WHERE relkind IN ('v', 'm')"
                              " UNION ALL SELECT o.object, concat('column ', a.attname), "
                              "concat(format_type(a.atttypid, a.atttypmod),"
                              "     (SELECT format(' COLLATE %I.%I', cn.nspname, co.collname) FROM "
                              "pg_collation co JOIN pg_namespace cn"
                              "        ON cn.oid = co.collnamespace JOIN pg_type t ON t.oid = a.atttypid"
                              "       WHERE co.oid = a.attcollation AND a.attcollation <> t.typcollation),"
                              "     CASE WHEN a.attnotnull THEN ' NOT NULL' END,"
                              "     CASE a.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY' WHEN "
                              "'d' THEN ' GENERATED BY DEFAULT AS IDENTITY' END,"
                              "     CASE WHEN d.oid IS NULL THEN NULL WHEN @generated@ THEN concat(' "
                              "GENERATED ALWAYS AS (', pg_get_expr(d.adbin, d.adrelid),"
                              "       ')') ELSE concat(' DEFAULT ', pg_get_expr(d.adbin, d.adrelid)) END)"
                              "   FROM o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT "
                              "a.attisdropped"
                              "   LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
                              "AND a.atthasdef"
                              " UNION ALL SELECT o.object, concat('storage of column ', a.attname), "
                              "a.attstorage::text FROM o JOIN pg_attribute a"
                              "   ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type "
                              "t ON t.oid = a.atttypid"
                              "   WHERE a.attstorage <> t.typstorage AND o.relkind IN ('r', 'p', 'm')"
                              " UNION ALL SELECT o.object, concat('statistics target of column ', "
                              "a.attname), a.attstattarget::text"
                              "   FROM o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT "
                              "a.attisdropped"
                              "   WHERE a.attstattarget >= 0"
                              " UNION ALL SELECT o.object, concat('comment on column ', a.attname), "
                              "s.description"
                              "   FROM o JOIN pg_description s ON s.objoid = o.oid AND s.classoid = "
                              "'pg_class'::regclass AND s.objsubid > 0"
                              "   JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = s.objsubid"
                              " @grants@ SELECT o.object, concat('grants on column ', a.attname), (SELECT "
                              "string_agg(concat(" ROLE(
                                  "g.grantee") ", ' ', g.privilege_type, CASE WHEN "
                                               "g.is_grantable THEN ' WITH GRANT "
                                               "OPTION' END), ', ' ORDER BY " ROLE(
                                                   "g.grantee") " COLLATE \"C\", "
                                                                "g.privilege_type "
                                                                "COLLATE \"C\") FROM "
                                                                "aclexplode(a.attacl) "
                                                                "g)"
                                                                "   FROM o JOIN "
                                                                "pg_attribute a ON "
                                                                "a.attrelid = o.oid "
                                                                "AND a.attacl IS NOT "
                                                                "NULL AND NOT "
                                                                "a.attisdropped "
                                                                "@end@" OWNER("o.relowner")
                                                                    GRANTS("o.relacl", "'r'", "o.relowner")
                                                                        COMMENT("pg_"
                                                                                "class")},
    {"sequence",
     "WITH o AS (SELECT c.oid, " RELATION " AS object, c.relowner, c.relacl, s.* FROM pg_class c"
     "   JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid"
     "   WHERE c.relpersistence <> 't' AND " OURS("n") " AND " IS_KEPT("c.oid") " AND " NOT_OF_EXTENSION(
         "pg_class", "c.oid") ")"
                              " SELECT object, 'definition', concat(format_type(seqtypid, NULL), ' START "
                              "', seqstart::text, ' INCREMENT ',"
                              "   seqincrement::text, ' MINVALUE ', seqmin::text, ' MAXVALUE ', "
                              "seqmax::text, ' CACHE ', seqcache::text,"
                              "   CASE WHEN seqcycle THEN ' CYCLE' END) FROM o"
                              " UNION ALL SELECT o.object, 'owned by', concat(tn.nspname, '.', "
                              "tc.relname, '.', a.attname) FROM o JOIN pg_depend d"
                              "   ON d.classid = 'pg_class'::regclass AND d.objid = o.oid AND "
                              "d.refclassid = 'pg_class'::regclass"
                              "   AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') JOIN pg_class tc ON "
                              "tc.oid = d.refobjid"
                              "   JOIN pg_namespace tn ON tn.oid = tc.relnamespace JOIN pg_attribute a "
                              "ON a.attrelid = tc.oid AND a.attnum = d.refobjsubid" OWNER("o.relowner")
                                  GRANTS("o.relacl", "'s'", "o.relowner") COMMENT("pg_class")},
    {"index",
     "WITH o AS (SELECT c.oid, " RELATION
     " AS object, i.indisreplident FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
     "   JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class t ON t.oid = i.indrelid"
     "   WHERE (i.indisvalid OR t.relkind = 'p') AND c.relpersistence <> 't' AND c.relname !~ "
     "'^penstock_' AND " OURS("n") " AND " IS_KEPT("i.indrelid") "     AND " NOT_OF_EXTENSION(
         "pg_class",
         "i.indrelid") ")"
                       " SELECT object, 'definition', pg_get_indexdef(oid) FROM o"
                       " UNION ALL SELECT object, 'replica identity', 'yes' FROM o WHERE indisreplident"
                       " UNION ALL SELECT o.object, 'part of', concat(pn.nspname, '.', pc.relname) FROM "
                       "o JOIN pg_inherits h ON h.inhrelid = o.oid"
                       "   JOIN pg_class pc ON pc.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = "
                       "pc.relnamespace" COMMENT("pg_class")},
    {"constraint",
     "WITH o AS (SELECT k.oid, concat(" RELATION ", ' ', k.conname) AS object FROM pg_constraint k"
     "   JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
     "   WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0 AND c.relpersistence <> 't' "
     "AND " OURS("n") " AND " IS_KEPT("c.oid") "     AND " NOT_OF_EXTENSION(
         "pg_class",
         "c.oid") ")"
                  " SELECT object, 'definition', pg_get_constraintdef(oid) FROM o" COMMENT("pg_constraint")},
    {"trigger",
     "WITH o AS (SELECT t.oid, concat(" RELATION ", ' ', t.tgname) AS object, t.tgenabled FROM pg_trigger t"
     "   JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
     "   WHERE NOT t.tgisinternal AND @whole_trigger@ AND t.tgname !~ '^penstock_' AND " OURS(
         "n") " AND " IS_KEPT("c.oid") "     AND " NOT_OF_EXTENSION("pg_class",
                                                                    "c.oid") ")"
                                                                             " SELECT object, 'definition', "
                                                                             "replace(pg_get_triggerdef(oid),"
                                                                             " ' EXECUTE PROCEDURE "
                                                                             "', ' EXECUTE FUNCTION ') FROM o"
                                                                             " UNION ALL SELECT object, "
                                                                             "'enabled', CASE tgenabled "
                                                                             "WHEN 'O' THEN 'yes' WHEN 'D' "
                                                                             "THEN 'no' WHEN 'R' "
                                                                             "THEN 'REPLICA'"
                                                                             "   ELSE 'ALWAYS' END FROM "
                                                                             "o" COMMENT("pg_trigger")},
    {"rule",
     "WITH o AS (SELECT r.oid, concat(" RELATION
     ", ' ', r.rulename) AS object, r.ev_enabled FROM pg_rewrite r"
     "   JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace"
     "   WHERE r.rulename <> '_RETURN' AND " OURS("n") " AND " IS_KEPT("c.oid") " AND " NOT_OF_EXTENSION(
         "pg_class", "c.oid") ")"
                              " SELECT object, 'definition', regexp_replace(pg_get_ruledef(oid), "
                              "'\\s+', ' ', 'g') FROM o"
                              " UNION ALL SELECT object, 'enabled', CASE ev_enabled WHEN 'O' "
                              "THEN 'yes' WHEN 'D' THEN 'no' WHEN 'R' THEN 'REPLICA'"
                              "   ELSE 'ALWAYS' END FROM o" COMMENT("pg_rewrite")},
    {"policy",
     "WITH o AS (SELECT p.oid, concat(" RELATION ", ' ', p.polname) AS object, p.polpermissive, p.polcmd,"
     " p.polroles, p.polqual, p.polwithcheck, p.polrelid FROM pg_policy p"
     "   JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
     "WHERE " OURS("n") " AND " IS_KEPT("c.oid") "     AND " NOT_OF_EXTENSION(
         "pg_class",
         "c.oid") ")"
                  " SELECT object, 'definition', concat(CASE WHEN polpermissive THEN "
                  "'PERMISSIVE' ELSE 'RESTRICTIVE' END, ' FOR ',"
                  "   polcmd::text, ' TO ', (SELECT string_agg(" ROLE("r") ", ', ' ORDER BY " ROLE(
                      "r") " COLLATE \"C\")"
                           "   FROM unnest(polroles) r), ' USING "
                           "(', pg_get_expr(polqual, polrelid), "
                           "') WITH CHECK (',"
                           "   pg_get_expr(polwithcheck, "
                           "polrelid), ')') FROM o" COMMENT("pg_policy")},
    {"function",
     "WITH o AS (SELECT p.oid, concat(n.nspname, '.', p.proname, '(', " ARGUMENTS(
         "pg_get_function_identity_arguments(p.oid)",
         "p.prokind") ", ')') AS object,"
                      "     p.prokind, p.prolang, p.provolatile, p.proparallel, p.proisstrict, p.prosecdef, "
                      "p.proleakproof, p.proconfig,"
                      "     p.prosrc, p.proowner, p.proacl FROM pg_proc p JOIN pg_namespace n ON n.oid = "
                      "p.pronamespace "
                      "WHERE " OURS("n") "     AND " NOT_OF_EXTENSION(
                          "pg_proc",
                          "p.oid") " AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = "
                                   "'pg_proc'::regclass AND "
                                   "i.objid = p.oid AND i.deptype = 'i'))"
                                   " SELECT object, 'definition', concat(CASE prokind WHEN 'a' THEN "
                                   "'AGGREGATE' WHEN 'p' "
                                   "THEN 'PROCEDURE' WHEN 'w' THEN"
                                   "   'WINDOW FUNCTION' ELSE 'FUNCTION' END, ' (', " ARGUMENTS(
                                       "pg_get_function_arguments(oid)",
                                       "prokind") ", ') "
                                                  "RETURNS ', pg_get_function_result(oid),"
                                                  "   ' LANGUAGE ', (SELECT lanname FROM pg_language l WHERE "
                                                  "l.oid = prolang), ' ', "
                                                  "provolatile::text, proparallel::text,"
                                                  "   CASE WHEN proisstrict THEN ' STRICT' END, CASE WHEN "
                                                  "prosecdef THEN ' SECURITY "
                                                  "DEFINER' END,"
                                                  "   CASE WHEN proleakproof THEN ' LEAKPROOF' END, ' SET ', "
                                                  "array_to_string(proconfig, "
                                                  "', ')) FROM o"
                                                  " UNION ALL SELECT object, 'body', concat(prosrc, @body@) "
                                                  "FROM o WHERE prokind <> 'a'"
                                                  " UNION ALL SELECT o.object, 'aggregate of', "
                                                  "concat(a.aggtransfn::oid::regprocedure::text, ', ',"
                                                  "   a.aggfinalfn::oid::regprocedure::text, ', ', "
                                                  "format_type(a.aggtranstype, NULL), ', "
                                                  "', a.agginitval)"
                                                  "   FROM o JOIN pg_aggregate a ON a.aggfnoid = o.oid" OWNER(
                                                      "o.proowner") GRANTS("o.proacl", "'f'", "o.proowner")
                                                      COMMENT("pg_proc")},
    /* 11 has no MCV lists, and writes no kinds where there are all that it has. */
    {"statistics",
     "WITH o AS (SELECT s.oid, concat(n.nspname, '.', s.stxname) AS object, s.stxowner, s.stxkind FROM "
     "pg_statistic_ext s"
     "   JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE " OURS("n") " AND " IS_KEPT(
         "s.stxrelid") ")"
                       " SELECT object, 'definition', regexp_replace(pg_get_statisticsobjdef(oid),"
                       "   ' \\((ndistinct|dependencies|mcv)(, (ndistinct|dependencies|mcv))*\\) ON ', ' ON "
                       "') FROM o"
                       " UNION ALL SELECT object, 'kinds', array_to_string(ARRAY(SELECT CASE k.kind WHEN 'd' "
                       "THEN 'ndistinct'"
                       "     WHEN 'f' THEN 'dependencies' ELSE 'mcv' END FROM unnest(o.stxkind) AS k (kind)"
                       "     WHERE k.kind <> 'e' AND (k.kind <> 'm' OR @both_from_12@) ORDER BY 1), ', ') "
                       "FROM o" OWNER("o.stxowner") COMMENT("pg_statistic_ext")},
    {"event trigger",
     "WITH o AS (SELECT v.oid, v.evtname::text AS object, v.evtevent, v.evtfoid, v.evtenabled, v.evttags, "
     "v.evtowner"
     "   FROM pg_event_trigger v WHERE v.evtname !~ '^penstock' AND " NOT_OF_EXTENSION(
         "pg_event_trigger", "v.oid") ")"
                                      " SELECT object, 'definition', concat(evtevent::text, ' ', "
                                      "evtfoid::regproc::text, ' ', array_to_string(evttags, ', '))"
                                      "   FROM o UNION ALL SELECT object, 'enabled', CASE evtenabled WHEN "
                                      "'O' THEN 'yes' WHEN 'D' THEN 'no' WHEN 'R' THEN"
                                      "   'REPLICA' ELSE 'ALWAYS' END FROM o" OWNER("o.evtowner")
                                          COMMENT("pg_event_trigger")},
    {"operator",
     "WITH o AS (SELECT p.oid, concat(n.nspname, '.', p.oprname, ' (', format_type(p.oprleft, NULL), ', ',"
     "     format_type(p.oprright, NULL), ')') AS object, p.oprcode, p.oprcom, p.oprnegate, p.oprrest, "
     "p.oprjoin, p.oprowner"
     "   FROM pg_operator p JOIN pg_namespace n ON n.oid = p.oprnamespace WHERE p.oprcode <> 0 AND " OURS(
         "n") " AND " NOT_OF_EXTENSION("pg_operator",
                                       "p.oid") ")"
                                                " SELECT object, 'definition', "
                                                "concat(oprcode::oid::regprocedure::text, ' ', "
                                                "oprcom::regoperator::text, ' ',"
                                                "   oprnegate::regoperator::text, ' ', oprrest::text, ' ', "
                                                "oprjoin::text) FROM o" OWNER("o.oprowner")
                                                    COMMENT("pg_operator")},
    /* Those from ranges to their multiranges come with the range type, from 14 on. */
    {"cast",
     "WITH o AS (SELECT c.oid, concat(format_type(c.castsource, NULL), ' to ', format_type(c.casttarget, "
     "NULL)) AS object,"
     "     c.castfunc, c.castcontext, c.castmethod FROM pg_cast c JOIN pg_type t ON t.oid = c.casttarget"
     "   WHERE c.oid >= 16384 AND t.typtype <> 'm' AND " NOT_OF_EXTENSION(
         "pg_cast", "c.oid") ")"
                             " SELECT object, 'definition', concat(castmethod::text, castcontext::text, ' ', "
                             "CASE WHEN castfunc <> 0 THEN"
                             "   castfunc::regprocedure::text END) FROM o" COMMENT("pg_cast")},
    {"collation",
     "WITH o AS (SELECT c.oid, concat(n.nspname, '.', c.collname) AS object, c.collprovider, c.collowner"
     "   FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE " OURS(
         "n") " AND " NOT_OF_EXTENSION("pg_collation",
                                       "c.oid") ")"
                                                " SELECT object, 'provider', collprovider::text FROM o" OWNER(
                                                    "o.collowner") COMMENT("pg_collation")},
    {"text search dictionary",
     "WITH o AS (SELECT d.oid, concat(n.nspname, '.', d.dictname) AS object, d.dicttemplate, "
     "d.dictinitoption, d.dictowner"
     "   FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace WHERE " OURS(
         "n") " AND " NOT_OF_EXTENSION("pg_ts_dict",
                                       "d.oid") ")"
                                                " SELECT object, 'definition', concat((SELECT tmplname FROM "
                                                "pg_ts_template t WHERE t.oid = dicttemplate), ' ',"
                                                "   dictinitoption) FROM o" OWNER("o.dictowner")
                                                    COMMENT("pg_ts_dict")},
    {"text search configuration",
     "WITH o AS (SELECT c.oid, concat(n.nspname, '.', c.cfgname) AS object, c.cfgparser, c.cfgowner"
     "   FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace WHERE " OURS(
         "n") " AND " NOT_OF_EXTENSION("pg_ts_config",
                                       "c.oid") ")"
                                                " SELECT object, 'definition', concat((SELECT prsname FROM "
                                                "pg_ts_parser p WHERE p.oid = cfgparser), ' ',"
                                                "   (SELECT string_agg(concat(m.maptokentype, ' ', "
                                                "m.mapdict::regdictionary::text), ', ' ORDER BY "
                                                "m.maptokentype,"
                                                "     m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = "
                                                "o.oid)) FROM o" OWNER("o.cfgowner") COMMENT("pg_ts_config")},
    {"foreign server", "WITH o AS (SELECT f.oid, f.srvname::text AS object, f.srvfdw, f.srvtype, "
                       "f.srvversion, f.srvoptions, f.srvowner, f.srvacl"
                       "   FROM pg_foreign_server f WHERE " NOT_OF_EXTENSION(
                           "pg_foreign_server",
                           "f.oid") ")"
                                    " SELECT object, 'definition', concat((SELECT fdwname FROM "
                                    "pg_foreign_data_wrapper w WHERE w.oid = srvfdw), ' ', srvtype,"
                                    "   ' ', srvversion, ' ', array_to_string(ARRAY(SELECT "
                                    "unnest(srvoptions) ORDER BY 1), ', ')) FROM o" OWNER("o.srvowner")
                                        GRANTS("o.srvacl", "'S'", "o.srvowner") COMMENT("pg_foreign_server")},
    {"default privileges",
     "SELECT ''::text AS object, ''::text, ''::text WHERE false"
     " @grants@ SELECT concat(" ROLE(
         "d.defaclrole") ", ' in ', coalesce(n.nspname::text, 'all schemas'), ' for ',"
                         "   d.defaclobjtype::text), 'grants', (SELECT string_agg(concat(" ROLE(
                             "a.grantee") ", ' ', a.privilege_type,"
                                          "     CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), ', "
                                          "' ORDER BY " ROLE(
                                              "a.grantee") " COLLATE \"C\","
                                                           "     a.privilege_type COLLATE \"C\") FROM "
                                                           "aclexplode(d.defaclacl) a WHERE a.privilege_type "
                                                           "<> 'MAINTAIN')"
                                                           "   FROM pg_default_acl d LEFT JOIN pg_namespace "
                                                           "n ON n.oid = d.defaclnamespace"
                                                           "  WHERE n.oid IS NULL OR " OURS("n") " @end@"},
    {"database",
     "WITH o AS (SELECT d.oid, '(the database)'::text AS object, d.datdba, d.datacl FROM pg_database d"
     "   WHERE d.datname = current_database())"
     " SELECT object, 'there', '' FROM o"
     " UNION ALL SELECT o.object, concat('setting ', r.rolname, CASE WHEN r.oid IS NOT NULL THEN ' ' END,"
     "     split_part(c.setting, '=', 1)), CASE WHEN c.setting ~ "
     "'^(search_path|[a-z_]*(libraries|tablespaces)|unix_socket_directories)='"
     "     THEN replace(substr(c.setting, strpos(c.setting, '=') + 1), '\"', '') ELSE substr(c.setting, "
     "strpos(c.setting, '=') + 1) END"
     "   FROM o JOIN pg_db_role_setting s ON s.setdatabase = o.oid LEFT JOIN pg_roles r ON r.oid = "
     "s.setrole,"
     "   unnest(s.setconfig) AS c (setting)"
     " WHERE split_part(c.setting, '=', 1) NOT IN " NOT_COMPARED
     "   AND c.setting NOT IN ('session_preload_libraries=', 'local_preload_libraries=')"
     " UNION ALL SELECT o.object, 'comment', d.description FROM o JOIN pg_shdescription d ON d.objoid = "
     "o.oid"
     "   AND d.classoid = 'pg_database'::regclass" OWNER("o.datdba") GRANTS("o.datacl", "'d'", "o.datdba")},
};

const CatalogQueries catalog_queries = {queries, sizeof queries / sizeof *queries, false};
