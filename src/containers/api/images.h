#pragma once
/* Docker's /images/… over the image store. Every handler answers its request, at once or when a job has ended. */
#include "containers/image/image-store.h"
#include "containers/peers/peers.h"
#include "net/http-server.h"

typedef struct ImagesApi {
        ImageStore *store;
        Peers *peers; /* NULL: none to ask */
} ImagesApi;

/* Whether a request's body is to be taken in pieces: docker import and docker load. `path` without the version. */
bool images_api_takes_body(HttpMethod method, Slice path, Slice query);

/* `name`: decoded, of the path; "" where the path has none. */
void images_api_list(ImagesApi *api, HttpRequest *request, const char *name);
void images_api_create(ImagesApi *api, HttpRequest *request, const char *name); /* pull and import */
void images_api_load(ImagesApi *api, HttpRequest *request, const char *name);
void images_api_save(ImagesApi *api, HttpRequest *request, const char *name);
void images_api_inspect(ImagesApi *api, HttpRequest *request, const char *name);
void images_api_history(ImagesApi *api, HttpRequest *request, const char *name);
void images_api_tag(ImagesApi *api, HttpRequest *request, const char *name);
void images_api_remove(ImagesApi *api, HttpRequest *request, const char *name);
