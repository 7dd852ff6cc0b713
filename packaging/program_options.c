#include "option.h"
#include "papers.h"

size_t program_options(const struct argp *argp, PaperOption out[MAX_PAPER_OPTIONS])
{
    const struct argp_option *listed[MAX_PAPER_OPTIONS];
    size_t all = option_list(argp, listed, MAX_PAPER_OPTIONS), count = 0;
    for (size_t i = 0; i < all; i++) {
        const struct argp_option *option = listed[i];
        if ((option->flags & (OPTION_HIDDEN | OPTION_ALIAS)) != 0) {
            continue;
        }
        out[count++] = (PaperOption){
            .name = option->name,
            .letter = option->name != NULL && option->key > ' ' && option->key < 127 ? option->key : 0,
            .value = option->arg,
            .doc = option->doc != NULL ? option->doc : "",
        };
    }
    return count;
}
