#pragma once
/* How the APIs of init and of the machines' daemon answer: JSON, and errors as {"error":{"code","message"}}. */
#include "net/http-server.h"

/* 200 with what is in `body`, which gets a line end; 500 when something did not fit in it. */
void answer_json(HttpRequest *request, Buffer *body);

/* 200 {} */
void answer_empty(HttpRequest *request);

void answer_error(HttpRequest *request, unsigned status, const char *message);
