#pragma once
/* The Docker Engine API, versions 1.24 to 1.44: one table of routes over the engine and the image store. */
#include "containers/api/images.h"
#include "containers/engine/engine.h"
#include "net/http-server.h"

#define API_VERSION "1.44"
#define API_VERSION_MIN "1.24"

typedef struct ContainersApi {
        Engine *engine;
        ImagesApi images;
} ContainersApi;

/* For an HttpServer whose userdata is the ContainersApi. */
extern const HttpServerOps containers_api_ops;

/* The most bytes of a body that is gathered. */
extern const HttpServerLimits containers_api_limits;
