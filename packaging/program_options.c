#include "papers.h"

static bool is_end(const struct argp_option *option)
{
    return option->name == NULL && option->key == 0 && option->doc == NULL && option->group == 0;
}

static size_t take(const struct argp *argp, PaperOption *out, size_t count)
{
    for (const struct argp_option *option = argp->options; option != NULL && !is_end(option); option++) {
        if ((option->flags & (OPTION_HIDDEN | OPTION_ALIAS)) != 0 || count == MAX_PAPER_OPTIONS) {
            continue;
        }
        out[count++] = (PaperOption){
            .name = option->name,
            .letter = option->name != NULL && option->key > ' ' && option->key < 127 ? option->key : 0,
            .value = option->arg,
            .doc = option->doc != NULL ? option->doc : "",
        };
    }
    for (const struct argp_child *child = argp->children; child != NULL && child->argp != NULL; child++) {
        count = take(child->argp, out, count);
    }
    return count;
}

size_t program_options(const struct argp *argp, PaperOption out[MAX_PAPER_OPTIONS])
{
    return argp != NULL ? take(argp, out, 0) : 0;
}
