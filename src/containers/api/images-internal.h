#pragma once
/* What the files of the image API share. */
#include "containers/api/images.h"

/* {"message":"…"} with Docker's status for an errno. */
void images_respond_error(HttpRequest *request, int r, const Error *error);
void images_respond_json(HttpRequest *request, unsigned status, Buffer *text);

/* The decoded value of a query's parameter; NULL: absent or empty. The caller frees. */
char *images_query(HttpRequest *request, const char *name);

/* "repo" and "tag" joined as Docker joins them: a tag with ':' is a digest. NULL without memory. */
char *images_join_name(const char *repository, const char *tag);
