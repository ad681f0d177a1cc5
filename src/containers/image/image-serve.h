#pragma once
/*
 * This machine's images for the engines of other machines: the reading half of the OCI distribution API, with ?ns=HOST for the registry that
 * an image is named after (docker.io without it), as mirrors have it. Nobody can change anything through it, and whoever can
 * reach it can read all images.
 */
#include "containers/image/image-store.h"
#include "net/http-server.h"

/* Answers a request for /v2/…; `userdata` of the server's ops is the ImageStore. */
void image_serve_handle(void *store, HttpRequest *request);
