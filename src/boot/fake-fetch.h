#pragma once
/* The seam of boot/fetch.h in memory: answers by URL, and time that passes only when someone pauses. */
#include "boot/fetch.h"

typedef struct FakePage {
        const char *url;
        unsigned status;
        const char *body;
        int failures; /* how often the network fails before; < 0: always */
} FakePage;

typedef struct FakeFetch {
        Fetch base;
        FakePage *pages;    /* ends with url NULL; others answer 404. Borrowed */
        const char *header; /* without it every page answers 403; NULL: none is needed */
        size_t gets;
        Usec paused;
} FakeFetch;

void fake_fetch_init(FakeFetch *fetch, FakePage *pages);
