#include "place.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct gf_place_note noted;

void ghttp_note_place(const char *handler, const char *file, int line)
{
    noted = (struct gf_place_note){.handler = handler, .file = file, .line = line};
}

void gf_place_note(const struct gf_place_note *note)
{
    noted = *note;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* "hello" or "&hello": a name that says something; "rows[i].handler" does not. */
static const char *find_name(const char *argument)
{
    const char *name = argument && *argument == '&' ? argument + 1 : argument;

    if (!name || !*name || isdigit((unsigned char)*name))
        return NULL;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return NULL;
    return name;
}

/* The linker's name is the truth, but static functions have none. */
static void describe(ghttp_handler *handler, const char *argument, char text[GF_PLACE_TEXT_MAX])
{
    const char *name = find_name(argument);
    const char *address;
    Dl_info info;
    int known;

    memcpy(&address, &handler, sizeof(address));
    known = dladdr(address, &info);
    if (known && info.dli_sname && (const char *)info.dli_saddr == address)
        name = info.dli_sname;
    if (name)
        snprintf(text, GF_PLACE_TEXT_MAX, "%s", name);
    else if (known)
        snprintf(text, GF_PLACE_TEXT_MAX, "%s+%#tx", base_name(info.dli_fname), address - (const char *)info.dli_fbase);
    else
        snprintf(text, GF_PLACE_TEXT_MAX, "%p", (const void *)address);
}

/* All rows of a table have the line of the call that binds it. */
static void describe_call(const struct gf_place_note *note, char text[GF_PLACE_TEXT_MAX])
{
    text[0] = '\0';
    if (note->file && note->row)
        snprintf(text, GF_PLACE_TEXT_MAX, "row %d of the table at %s:%d", note->row, base_name(note->file), note->line);
    else if (note->file)
        snprintf(text, GF_PLACE_TEXT_MAX, "%s:%d", base_name(note->file), note->line);
    else if (note->row)
        snprintf(text, GF_PLACE_TEXT_MAX, "row %d of a table", note->row);
}

void gf_place_take(struct gf_place *place, ghttp_handler *handler)
{
    describe_call(&noted, place->text);
    describe(handler, noted.handler, place->handler);
    noted = (struct gf_place_note){.file = NULL};
}

struct gf_place_note gf_place_keep(void)
{
    struct gf_place_note kept = noted;

    noted = (struct gf_place_note){.file = NULL};
    return kept;
}
