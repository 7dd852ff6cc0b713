/*
 * Completion: the command's name first, then the options of that command; a value that is a file is completed as one.
 */
#include <string.h>

#include "commands.h"
#include "applier_argp.h"
#include "papers.h"
#include "settings.h"

static bool is_file(const PaperOption *option)
{
    return option->value != NULL &&
           (strstr(option->value, "FILE") != NULL || strstr(option->value, "FOLDER") != NULL);
}

static void bash_options(FILE *out, const struct argp *argp)
{
    PaperOption options[MAX_PAPER_OPTIONS];
    size_t count = program_options(argp, options);
    for (size_t i = 0; i < count; i++) {
        if (options[i].name != NULL) {
            fprintf(out, " --%s%s", options[i].name, options[i].value != NULL ? "=" : "");
        }
    }
}

/* Which options take a file's name, as a pattern of case. */
static void bash_files(FILE *out, const struct argp *argp)
{
    PaperOption options[MAX_PAPER_OPTIONS];
    size_t count = program_options(argp, options);
    for (size_t i = 0; i < count; i++) {
        if (options[i].name != NULL && is_file(&options[i])) {
            fprintf(out, "|--%s", options[i].name);
        }
    }
}

static void bash_files_of_all(FILE *out)
{
    fputs("    case $option in --config", out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        bash_files(out, commands[i]->argp);
    }
    bash_files(out, &applier_argp);
    fputs(")\n        COMPREPLY=($(compgen -f -- \"$word\"))\n        return ;;\n    esac\n", out);
}

void completion_bash(FILE *out)
{
    fputs("# bash completion for penstock and penstock-applier; written by the build from the programs' own "
          "tables.\n"
          "_penstock()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]} command='' names i\n"
          "    [ \"$option\" = = ] && option=${COMP_WORDS[COMP_CWORD-2]}\n"
          "    [ \"$word\" = = ] && option=${COMP_WORDS[COMP_CWORD-1]} word=''\n",
          out);
    bash_files_of_all(out);
    fputs("    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "        %s) command=${COMP_WORDS[i]}; break ;;\n", commands[i]->name);
    }
    fputs("        esac\n    done\n    [ \"$1\" = penstock-applier ] && command=penstock-applier\n    case "
          "$command in\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "    %s) names='", commands[i]->name);
        bash_options(out, commands[i]->argp);
        bash_options(out, &settings_argp);
        fputs(" --help' ;;\n", out);
    }
    fputs("    penstock-applier) names='", out);
    bash_options(out, &applier_argp);
    fputs(" --help --version' ;;\n    *) names='", out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "%s ", commands[i]->name);
    }
    fputs("help version", out);
    bash_options(out, &settings_argp);
    fputs(" --help --version' ;;\n    esac\n"
          "    COMPREPLY=($(compgen -W \"$names\" -- \"$word\"))\n"
          "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
          "    return 0\n}\ncomplete -F _penstock penstock penstock-applier\n",
          out);
}

/* A text between single quotes, where zsh gives brackets and colons a meaning of their own. */
static void zsh_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else if (strchr("[]:\\", *text) != NULL) {
            fprintf(out, "\\%c", *text);
        } else {
            fputc(*text, out);
        }
    }
}

static void zsh_options(FILE *out, const struct argp *argp)
{
    PaperOption options[MAX_PAPER_OPTIONS];
    size_t count = program_options(argp, options);
    for (size_t i = 0; i < count; i++) {
        const PaperOption *option = &options[i];
        if (option->name == NULL) {
            continue;
        }
        fprintf(out, " \\\n            '*--%s%s[", option->name, option->value != NULL ? "=" : "");
        zsh_text(out, option->doc);
        fputc(']', out);
        if (option->value != NULL) {
            fputc(':', out);
            zsh_text(out, option->value);
            fputs(is_file(option) ? ":_files" : ": ", out);
        }
        fputc('\'', out);
    }
}

static void zsh_commands(FILE *out)
{
    fputs("    local -a commands=(\n", out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "        '%s:", commands[i]->name);
        zsh_text(out, commands[i]->summary);
        fputs("'\n", out);
    }
    fputs("        'help:Show help of a command'\n        'version:Show the version'\n    )\n", out);
}

void completion_zsh(FILE *out)
{
    fputs("#compdef penstock penstock-applier\n"
          "# zsh completion for penstock and penstock-applier; written by the build from the programs' own "
          "tables.\n"
          "_penstock()\n{\n    local word command=''\n",
          out);
    zsh_commands(out);
    fputs("    for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
          "        (( ${commands[(I)${word}:*]} )) && { command=$word; break; }\n    done\n"
          "    [[ $service == penstock-applier ]] && command=penstock-applier\n    case $command in\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "    %s)\n        _arguments", commands[i]->name);
        zsh_options(out, commands[i]->argp);
        zsh_options(out, &settings_argp);
        fputs(" '*: :' ;;\n", out);
    }
    fputs("    penstock-applier)\n        _arguments", out);
    zsh_options(out, &applier_argp);
    fputs(" ;;\n    *) _describe command commands ;;\n    esac\n}\n_penstock \"$@\"\n", out);
}
