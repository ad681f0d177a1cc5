#pragma once
/* Form values as Go's net/http parses them: those of the body before those of the query, the first one counts. */
#include "base/buffer.h"
#include "base/str.h"

/* The parameters that mean something; all others are checked for their form and dropped. */
typedef enum FormField {
        FORM_DIR,
        FORM_NO_VALUE_ON_SUCCESS,
        FORM_PREV_EXIST,
        FORM_PREV_INDEX,
        FORM_PREV_VALUE,
        FORM_QUORUM,
        FORM_RECURSIVE,
        FORM_REFRESH,
        FORM_SORTED,
        FORM_STREAM,
        FORM_TTL,
        FORM_VALUE,
        FORM_WAIT,
        FORM_WAIT_INDEX,
        FORM_FIELDS,
} FormField;

const char *form_field_name(FormField field);

typedef struct Form {
        struct {
                bool present;
                size_t at, length; /* in the text */
        } fields[FORM_FIELDS];
        Buffer text; /* decoded values */
} Form;

void form_deinit(Form *form);

/* Adds the pairs of an encoded query or body. 0, or 1 with the reason in `cause` (which holds at most the first one).
 * Goes on after a bad pair, as Go does. -ENOMEM. */
int form_add(Form *form, Slice encoded, Buffer *cause);

/* The value; empty when absent. Valid until the form changes. */
Slice form_get(const Form *form, FormField field);

/*
 * Whether a Content-Type says that the body is an encoded form. 0 or 1 in *ret_is_form; returns 1 with the reason in
 * `cause` when the type is malformed (Go's mime.ParseMediaType).
 */
int form_check_content_type(Slice content_type, bool *ret_is_form, Buffer *cause);
