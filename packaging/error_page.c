/*
 * docs/errors.md is kept in the repository, so that it can be read there; a test compares it with what this writes.
 */
#include "kinds.h"
#include "papers.h"

static void put_section(FILE *out, const ErrorSection *section)
{
    fprintf(out, "\n## %s\n", section->title);
    for (size_t i = 0; i < section->count; i++) {
        const ErrorKind *kind = &section->kinds[i];
        fprintf(out, "\n### PST-%04d\n\n**%s.** %s\n\n*What to do:* %s\n", kind->number, kind->title,
                kind->cause, kind->cure);
        if (kind->sqlstates != NULL) {
            fprintf(out, "\nAlso what a server refuses with SQLSTATE `%s`, or one that begins so.\n",
                    kind->sqlstates);
        }
    }
}

static void put_index(FILE *out, const ErrorSection *section)
{
    fprintf(out, "\n%s:", section->title);
    for (size_t i = 0; i < section->count; i++) {
        int number = section->kinds[i].number;
        fprintf(out, " [%04d](#pst-%04d)", number, number);
    }
    fputc('\n', out);
}

void error_page(FILE *out)
{
    size_t count;
    const ErrorSection *const *sections = error_sections(&count);
    fputs("<!-- Written by penstock-papers from the table in common/kinds: change it there. -->\n"
          "# Errors\n\n"
          "Every error has a code, such as `PST-1501`, which is never given to another. It stands behind the "
          "message, in the field\n"
          "`code` of logs in logfmt and JSON, and as `number` in documents. `penstock help PST-1501` says at "
          "a terminal what this page says.\n"
          "The message of the error has what no page can know: which object, at which LSN, and often what to "
          "do about just that.\n",
          out);
    for (size_t i = 0; i < count; i++) {
        put_index(out, sections[i]);
    }
    for (size_t i = 0; i < count; i++) {
        put_section(out, sections[i]);
    }
}
