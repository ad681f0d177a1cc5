#pragma once
/* An answer whose body is a file, read on libuv's threads and sent as fast as the peer takes it. */
#include "net/http-server.h"

/* The whole answer; `fd` is the server's now and is closed in the end. For HEAD only the head is sent. What cannot be read in the middle breaks the connection. */
void http_respond_file(HttpRequest *request, unsigned status, const char *headers, int fd);
