/*
 * penstock-papers FOLDER: writes the manual pages, the completions and the page of errors there. The build runs it.
 */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "applier_argp.h"
#include "papers.h"
#include "settings.h"

/* The commands ask it; nothing of them runs here. */
bool interrupted(void)
{
    return false;
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "penstock-papers: cannot write %s: %s\n", path, strerror(errno));
    }
    return file;
}

static int write_page(const char *folder, const Paper *paper)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s%s.1", paper->program, paper->command != NULL ? "-" : "",
             paper->command != NULL ? paper->command : "");
    FILE *file = open_in(folder, name);
    if (file == NULL) {
        return -1;
    }
    manual_page(file, paper);
    return fclose(file);
}

static int write_paper(const char *folder, const char *name, void (*write)(FILE *))
{
    FILE *file = open_in(folder, name);
    if (file == NULL) {
        return -1;
    }
    write(file);
    return fclose(file);
}

int main(int argc, char **argv)
{
    static const Paper programs[] = {
        {"penstock", NULL,
         "Move a live PostgreSQL database to a newer server while applications keep writing", &settings_argp},
        {"penstock-applier", NULL, "Apply the changes of a PostgreSQL database to another as they arrive",
         &applier_argp},
    };
    if (argc != 2) {
        fputs("usage: penstock-papers FOLDER\n", stderr);
        return 2;
    }
    int failed = write_page(argv[1], &programs[0]) != 0 || write_page(argv[1], &programs[1]) != 0;
    for (size_t i = 0; commands[i] != NULL; i++) {
        const Paper paper = {"penstock", commands[i]->name, commands[i]->summary, commands[i]->argp};
        failed = write_page(argv[1], &paper) != 0 || failed;
    }
    failed = write_paper(argv[1], "penstock.bash", completion_bash) != 0 || failed;
    failed = write_paper(argv[1], "_penstock", completion_zsh) != 0 || failed;
    failed = write_paper(argv[1], "errors.md", error_page) != 0 || failed;
    return failed ? 3 : 0;
}
