#include "store/discovery/discovery.h"

#include <errno.h>
#include <inttypes.h>

#include "net/url.h"

enum { STATUS_SERVER_TROUBLE = 500 };

void discovery_deinit(Discovery *discovery) {
        free(discovery->cluster);
        discovery->cluster = NULL;
}

void discovery_request_deinit(DiscoveryRequest *request) {
        free(request->target);
        free(request->form);
        *request = (DiscoveryRequest){0};
}

/* ---- asking ---- */

static char *register_form(const Discovery *d) {
        _cleanup_buffer_ Buffer form = BUFFER_INIT;

        (void)buffer_append_string(&form, "value=");
        (void)url_encode(&form, URL_SEGMENT, slice_from(d->value));
        return buffer_steal_string(&form, NULL);
}

int discovery_next(const Discovery *d, DiscoveryRequest *ret_request) {
        DiscoveryRequest request = {.method = "GET"};

        switch (d->step) {
        case DISCOVERY_STEP_SIZE:
                request.target = str_printf("%s/_config/size", d->path);
                break;
        case DISCOVERY_STEP_LIST:
                request.target = str_printf("%s?quorum=true", d->path);
                break;
        case DISCOVERY_STEP_REGISTER:
                request.method = "PUT";
                request.target = str_printf("%s/%s?prevExist=false", d->path, d->id);
                request.form = register_form(d);
                break;
        case DISCOVERY_STEP_WAIT:
                request.waits = true;
                request.target = str_printf("%s?wait=true&recursive=true&waitIndex=%" PRIu64, d->path, d->wait_index);
                break;
        }
        if (!request.target || (d->step == DISCOVERY_STEP_REGISTER && !request.form)) {
                discovery_request_deinit(&request);
                return -ENOMEM;
        }
        *ret_request = request;
        return 0;
}

/* ---- hearing ---- */

static const char *last_part(const StoreNode *node) {
        const char *slash = strrchr(node->key, '/');

        return slash ? slash + 1 : node->key;
}

static int compare_created(const void *a, const void *b) {
        const StoreNode *const *left = a, *const *right = b;

        return ((*left)->created > (*right)->created) - ((*left)->created < (*right)->created);
}

static int refused(const Discovery *d, const StoreReply *reply, Error *error) {
        return error_set(error, -EPROTO, "%s: the discovery server refuses with status %u%s%s; is the URL one of a v2 store's key?", d->url,
                         reply->status, reply->message ? ": " : "", reply->message ?: "");
}

static int hear_size(Discovery *d, const StoreReply *reply, Error *error) {
        const char *value = reply->node ? reply->node->value : NULL;

        if (reply->code == STORE_KEY_NOT_FOUND)
                return error_set(error, -ENOENT,
                                 "%s: there is no such discovery token, as its key _config/size is missing: make one with the number of "
                                 "members as that key's value, or correct --discovery",
                                 d->url);
        if (reply->r < 0 || !value)
                return refused(d, reply, error);
        if (str_parse_u64(slice_from(value), DISCOVERY_SIZE_MAX, &d->size) < 0 || d->size == 0)
                return error_set(error, -EINVAL, "%s: _config/size is \"%.40s\", but must be a number of members from 1 to %d", d->url,
                                 value, DISCOVERY_SIZE_MAX);
        d->step = DISCOVERY_STEP_LIST;
        return DISCOVERY_ON;
}

/* The first `count` as --initial-cluster. etcd reads '&' between a member's URLs as it does ','. */
static int set_cluster(Discovery *d, StoreNode *const *nodes, size_t count) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        char *at;

        for (size_t i = 0; i < count; i++)
                (void)buffer_printf(&text, "%s%s", i ? "," : "", nodes[i]->value);
        free(d->cluster);
        d->cluster = buffer_steal_string(&text, NULL);
        for (at = d->cluster; at && *at; at++)
                if (*at == '&')
                        *at = ',';
        return d->cluster ? 0 : -ENOMEM;
}

static int own_place(const Discovery *d, StoreNode *const *nodes, size_t count, size_t *ret_place, Error *error) {
        *ret_place = SIZE_MAX;
        if (!d->id)
                return 0;
        for (size_t i = 0; i < count && *ret_place == SIZE_MAX; i++)
                if (str_equals(last_part(nodes[i]), d->id))
                        *ret_place = i;
        if (*ret_place != SIZE_MAX && !str_equals(nodes[*ret_place]->value, d->value))
                return error_set(error, -EEXIST,
                                 "%s: this member's id %s is registered already, as %.200s and not as %s: it was begun before under another "
                                 "name; start it with that name, or use a new token",
                                 d->url, d->id, nodes[*ret_place]->value, d->value);
        if (*ret_place == SIZE_MAX && d->wrote)
                return error_set(error, -ENOENT, "%s: this member's registration %s was removed by someone; use a new token", d->url,
                                 d->id);
        return 0;
}

static int judge_list(Discovery *d, StoreNode *const *nodes, size_t count, Error *error) {
        size_t place;
        int r = own_place(d, nodes, count, &place, error);

        if (r < 0)
                return r;
        d->registered = count;
        if (count >= d->size) {
                r = set_cluster(d, nodes, d->size);
                return r < 0 ? r : place < d->size ? DISCOVERY_FOUND : DISCOVERY_FULL;
        }
        d->step = place == SIZE_MAX && d->id ? DISCOVERY_STEP_REGISTER : DISCOVERY_STEP_WAIT;
        return DISCOVERY_ON;
}

static int hear_list(Discovery *d, const StoreReply *reply, Error *error) {
        _cleanup_free_ StoreNode **nodes = NULL;
        size_t count = 0;

        if (reply->r < 0 || !reply->node)
                return refused(d, reply, error);
        nodes = calloc(reply->node->node_count + 1, sizeof(StoreNode *));
        if (!nodes)
                return -ENOMEM;
        for (size_t i = 0; i < reply->node->node_count; i++)
                if (reply->node->nodes[i].value && last_part(&reply->node->nodes[i])[0] != '_')
                        nodes[count++] = &reply->node->nodes[i];
        qsort(nodes, count, sizeof(StoreNode *), compare_created);
        d->wait_index = reply->index + 1;
        return judge_list(d, nodes, count, error);
}

int discovery_hear(Discovery *d, const StoreReply *reply, Error *error) {
        if ((reply->r < 0 && reply->r != -EREMOTEIO && reply->r != -EBADMSG) || reply->status >= STATUS_SERVER_TROUBLE ||
            (reply->r == -EBADMSG && d->step == DISCOVERY_STEP_WAIT)) {
                /* what happened meanwhile is in a new list */
                if (d->step == DISCOVERY_STEP_WAIT)
                        d->step = DISCOVERY_STEP_LIST;
                return error_set(error, DISCOVERY_AGAIN, "%s: the discovery server does not do its part: %s", d->url,
                                 reply->message        ? reply->message
                                 : reply->error.text[0] ? reply->error.text
                                                        : "it gave no sensible answer");
        }
        switch (d->step) {
        case DISCOVERY_STEP_SIZE:
                return hear_size(d, reply, error);
        case DISCOVERY_STEP_LIST:
                return hear_list(d, reply, error);
        case DISCOVERY_STEP_REGISTER:
                /* it exists: this member was here before, or an answer was lost; the list shows which */
                if (reply->r < 0 && reply->code != STORE_KEY_EXISTS)
                        return refused(d, reply, error);
                d->wrote = true;
                break;
        case DISCOVERY_STEP_WAIT:
                if (reply->r < 0 && reply->code != STORE_INDEX_CLEARED)
                        return refused(d, reply, error);
                break;
        }
        d->step = DISCOVERY_STEP_LIST;
        return DISCOVERY_ON;
}
