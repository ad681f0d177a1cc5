/* CloudSigma's server context: one JSON document with all that is known of the machine, the user-data included. */
#include <errno.h>
#include <jansson.h>

#include "base/encode.h"
#include "boot/config/metadata.h"

#define USER_DATA_FIELD "cloudinit-user-data"

static Slice member(const json_t *object, const char *name) {
        const json_t *value = json_object_get(object, name);

        return json_is_string(value) ? (Slice){json_string_value(value), json_string_length(value)} : (Slice){"", 0};
}

static int parse(Slice text, json_t **ret, Error *error) {
        json_error_t why;
        json_t *json;

        if (text.length > CLOUDSIGMA_CONTEXT_MAX)
                return error_set(error, -EINVAL, "the server context has more than %zu bytes", CLOUDSIGMA_CONTEXT_MAX);
        json = json_loadb(text.data, text.length, 0, &why);
        if (!json)
                return error_set(error, -EINVAL, "the server context is no JSON: line %d: %s", why.line, why.text);
        if (!json_is_object(json)) {
                json_decref(json);
                return error_set(error, -EINVAL, "the server context is no JSON object");
        }
        *ret = json;
        return 0;
}

static bool is_listed(Slice names, const char *wanted) {
        Slice name;

        while (names.data && slice_split(&names, ',', &name))
                if (slice_equals(name, slice_from(wanted)))
                        return true;
        return false;
}

int cloudsigma_user_data(Slice context, Buffer *to, Error *error) {
        json_t *json = NULL;
        int r = parse(context, &json, error);
        const json_t *meta = json_object_get(json, "meta");
        Slice text = member(meta, USER_DATA_FIELD);

        if (r >= 0 && is_listed(member(meta, "base64_fields"), USER_DATA_FIELD)) {
                if (decode_base64(to, BASE64_STANDARD, text) < 0)
                        r = error_set(error, -EINVAL, "base64_fields names " USER_DATA_FIELD ", but it is not base64");
        } else if (r >= 0) {
                r = buffer_append(to, text.data, text.length);
        }
        json_decref(json);
        return r;
}

/* The last network card that has a public address counts, and the last one in a private network. */
static int take_cards(const json_t *cards, AddressOfCard find, Metadata *metadata, Error *error) {
        json_t *card;
        size_t i;
        int r = 0;

        json_array_foreach (cards, i, card) {
                Slice address = member(json_object_get(json_object_get(card, "ip_v4_conf"), "ip"), "uuid");
                _cleanup_buffer_ Buffer own = BUFFER_INIT;

                r = metadata_set_address(metadata, ADDRESS_PUBLIC_IPV4, address, error);
                if (r >= 0 && member(json_object_get(card, "vlan"), "uuid").length > 0)
                        r = find(member(card, "mac"), &own);
                if (r >= 0 && buffer_length(&own) > 0)
                        r = metadata_take_address(metadata, ADDRESS_PRIVATE_IPV4,
                                                  (Slice){buffer_data(&own), buffer_length(&own)});
                if (r < 0)
                        break;
        }
        return r;
}

int metadata_parse_cloudsigma(Slice context, AddressOfCard find, Metadata *metadata, Error *error) {
        json_t *json = NULL;
        int r = parse(context, &json, error);
        Slice name = member(json, "name"), key = member(json_object_get(json, "meta"), "ssh_public_key");

        if (r >= 0)
                r = metadata_set_hostname(metadata, name.length ? name : member(json, "uuid"));
        if (r >= 0 && key.length > 0)
                r = metadata_add_key(metadata, key, error);
        if (r >= 0)
                r = take_cards(json_object_get(json, "nics"), find, metadata, error);
        json_decref(json);
        return r;
}
