/* PostgreSQL 11: the indexes of catalogs. */
#pragma once

#define AttributeRelidNumIndexId 2659
#define ClassOidIndexId 2662
