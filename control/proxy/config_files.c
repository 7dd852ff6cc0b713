/*
 * An edit is found again by what the old and the new text have in common at both ends: what lies between is in one piece,
 * since our edits are of one line each.
 */
#include "config_files.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static void add_piece(ConfigFiles *files, Text *flat, size_t file, size_t from, size_t size)
{
    files->pieces = realloc(files->pieces, (files->piece_count + 1) * sizeof *files->pieces);
    files->pieces[files->piece_count++] =
        (ConfigPiece){.file = file, .from = from, .size = size, .flat_at = flat->size};
    text_append_bytes(flat, files->files[file].text + from, size);
}

/* The name in an %include line, which the caller frees; NULL for other lines. */
static char *included(const char *line, const char *end)
{
    while (line < end && isspace((unsigned char)*line)) {
        line++;
    }
    if (end - line < 10 || strncmp(line, "%include", 8) != 0 || !isspace((unsigned char)line[8])) {
        return NULL;
    }
    for (line += 8; line < end && isspace((unsigned char)*line); line++) {
    }
    while (end > line && isspace((unsigned char)end[-1])) {
        end--;
    }
    return strndup(line, (size_t)(end - line));
}

static int add_file(Store *store, ConfigFiles *files, Text *flat, char *path, Error *error);

/* The file that name includes at this place. A text that was read before is not read again. */
static int add_include(Store *store, ConfigFiles *files, Text *flat, const char *name, Error *error)
{
    char *path = NULL;
    if (store_include(store, name, &path, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < files->count; i++) {
        if (files->files[i].path != NULL && strcmp(files->files[i].path, path) == 0) {
            free(path);
            return error_set(error, ERROR_STATE, "it includes \"%s\" twice", name);
        }
    }
    return add_file(store, files, flat, path, error);
}

static int flatten(Store *store, ConfigFiles *files, Text *flat, size_t file, Error *error)
{
    const char *text = files->files[file].text;
    size_t from = 0, at = 0;
    int status = 0;
    while (status == 0 && text[at] != '\0') {
        size_t end = at + strcspn(text + at, "\n");
        char *name = included(text + at, text + end);
        at = text[end] == '\n' ? end + 1 : end;
        if (name != NULL) {
            add_piece(files, flat, file, from, at - from);
            if (text[end] != '\n') {
                text_append(flat, "\n");
            }
            from = at;
            status = add_include(store, files, flat, name, error);
            free(name);
        }
    }
    add_piece(files, flat, file, from, at - from);
    if (flat->size > 0 && flat->data[flat->size - 1] != '\n') {
        text_append(flat, "\n");
    }
    return status;
}

/* Takes over path. */
static int add_file(Store *store, ConfigFiles *files, Text *flat, char *path, Error *error)
{
    if (files->count == CONFIG_FILES) {
        free(path);
        return error_set(error, ERROR_STATE, "more than %d files are included", CONFIG_FILES - 1);
    }
    size_t number = files->count++;
    files->files[number] = (ConfigFile){.path = path};
    if (store_read(store, path, &files->files[number].text, error) != 0) {
        return path != NULL ? error_context(error, "included in \"%s\"", store_name(store)) : -1;
    }
    files->files[number].read = strdup(files->files[number].text);
    return flatten(store, files, flat, number, error);
}

int config_files_read(Store *store, ConfigFiles *out, Error *error)
{
    Text flat = {0};
    *out = (ConfigFiles){0};
    int status = add_file(store, out, &flat, NULL, error);
    out->flat = flat.data != NULL ? flat.data : strdup("");
    if (status != 0) {
        config_files_free(out);
    }
    return status;
}

void config_files_free(ConfigFiles *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].path);
        free(files->files[i].text);
        free(files->files[i].read);
    }
    free(files->pieces);
    free(files->flat);
    *files = (ConfigFiles){0};
}

/* The piece that holds flat's bytes from to end; the later one where two meet. */
static const ConfigPiece *find_piece(const ConfigFiles *files, size_t from, size_t end)
{
    for (size_t i = files->piece_count; i-- > 0;) {
        const ConfigPiece *piece = &files->pieces[i];
        if (piece->flat_at <= from && end <= piece->flat_at + piece->size) {
            return piece;
        }
    }
    return NULL;
}

int config_files_edit(ConfigFiles *files, const char *edited, Error *error)
{
    size_t old_size = strlen(files->flat), new_size = strlen(edited), head = 0, tail = 0;
    while (head < old_size && head < new_size && files->flat[head] == edited[head]) {
        head++;
    }
    while (tail < old_size - head && tail < new_size - head &&
           files->flat[old_size - 1 - tail] == edited[new_size - 1 - tail]) {
        tail++;
    }
    if (head == old_size && head == new_size) {
        return 0;
    }
    const ConfigPiece *found = find_piece(files, head, old_size - tail);
    if (found == NULL) {
        return error_set(error, ERROR_STATE, "what is to be changed lies in several of the included files");
    }
    ConfigFile *file = &files->files[found->file];
    size_t at = found->from + head - found->flat_at, gone = old_size - tail - head;
    Text text = {0};
    text_append_bytes(&text, file->text, at);
    text_append_bytes(&text, edited + head, new_size - tail - head);
    text_append(&text, file->text + at + gone);
    free(file->text);
    file->text = text.data;
    file->changed = true;
    size_t more = new_size - old_size, number = (size_t)(found - files->pieces), of = found->file;
    files->pieces[number].size += more;
    for (size_t i = number + 1; i < files->piece_count;
         i++) { /* they lie behind it, in the text as in their file */
        files->pieces[i].flat_at += more;
        files->pieces[i].from += files->pieces[i].file == of ? more : 0;
    }
    free(files->flat);
    files->flat = strdup(edited);
    return 0;
}

int config_files_write(Store *store, ConfigFiles *files, bool keep, Error *error)
{
    for (size_t i = 0; i < files->count; i++) {
        ConfigFile *file = &files->files[i];
        int status = file->changed ? store_replace(store, file->path, file->read, file->text,
                                                   keep && !file->kept, error)
                                   : 0;
        if (status != 0) {
            return status;
        }
        if (file->changed) {
            free(file->read);
            file->read = strdup(file->text);
        }
        file->changed = false;
    }
    return 0;
}

int config_files_check(Store *store, const ConfigFiles *files, Error *error)
{
    for (size_t i = 0; i < files->count; i++) {
        if (store_check(store, files->files[i].path, error) != 0) {
            return -1;
        }
    }
    return 0;
}
