/* Documents in XML: Azure's SharedConfig.xml, and the OVF environment. */
#include <errno.h>
#include <expat.h>

#include "boot/config/metadata.h"

enum { PROPERTIES_MAX = 10000 };

/* expat goes through the text; a handler that fails ends it. */
typedef struct Reading {
        XML_Parser parser;
        void *into;
        int r;
        Error *error;
} Reading;

static void stop(Reading *reading, int r) {
        reading->r = r;
        (void)XML_StopParser(reading->parser, XML_FALSE);
}

/* The name without its name space: "ns:Property". */
static bool is_named(const char *name, const char *wanted) {
        const char *colon = strrchr(name, ':');

        return str_equals(colon ? colon + 1 : name, wanted);
}

static const char *attribute(const char **attributes, const char *wanted) {
        for (; attributes[0]; attributes += 2)
                if (is_named(attributes[0], wanted))
                        return attributes[1];
        return NULL;
}

static unsigned long long current_line(XML_Parser parser) {
#ifdef XML_ATTR_DEPRECATED /* expat 2.9 has another call, and calls the old one deprecated */
        return XML_GetCurrentLineNumber64(parser);
#else
        return XML_GetCurrentLineNumber(parser);
#endif
}

static int read_xml(Slice text, const char *what, XML_StartElementHandler on_start, XML_EndElementHandler on_end,
                    Reading *reading) {
        if (text.length > METADATA_DOCUMENT_MAX)
                return error_set(reading->error, -EINVAL, "%s has more than %zu bytes", what, METADATA_DOCUMENT_MAX);
        reading->parser = XML_ParserCreate(NULL);
        if (!reading->parser)
                return -ENOMEM;
        XML_SetUserData(reading->parser, reading);
        XML_SetElementHandler(reading->parser, on_start, on_end);
        if (XML_Parse(reading->parser, text.data, (int)text.length, XML_TRUE) == XML_STATUS_ERROR && reading->r == 0)
                reading->r = error_set(reading->error, -EINVAL, "%s is no XML: line %llu: %s", what,
                                       current_line(reading->parser),
                                       XML_ErrorString(XML_GetErrorCode(reading->parser)));
        XML_ParserFree(reading->parser);
        return reading->r;
}

/* ---- SharedConfig.xml ---- */

typedef struct SharedConfig {
        Metadata *metadata;
        char *instance; /* our own, by Incarnation */
        bool inside;    /* our own Instance */
        bool done;
} SharedConfig;

static int take_instance(SharedConfig *config, const char **attributes) {
        const char *id = attribute(attributes, "id"), *address = attribute(attributes, "address");

        if (config->done || !str_equals(id ?: "", config->instance ?: ""))
                return 0;
        config->inside = true;
        return address ? metadata_take_address(config->metadata, ADDRESS_PRIVATE_IPV4, slice_from(address)) : 0;
}

/* "ADDRESS:PORT", the first that is one. */
static int take_endpoint(SharedConfig *config, const char **attributes) {
        const char *address = attribute(attributes, "loadBalancedPublicAddress");
        const char *colon = address ? strrchr(address, ':') : NULL;

        if (!config->inside || !colon || config->metadata->addresses.values[ADDRESS_PUBLIC_IPV4])
                return 0;
        return metadata_take_address(config->metadata, ADDRESS_PUBLIC_IPV4,
                                     (Slice){address, (size_t)(colon - address)});
}

static void on_shared_start(void *userdata, const char *name, const char **attributes) {
        Reading *reading = userdata;
        SharedConfig *config = reading->into;
        int r = 0;

        if (is_named(name, "Incarnation") && attribute(attributes, "instance") && !config->instance) {
                config->instance = strdup(attribute(attributes, "instance"));
                r = config->instance ? 0 : -ENOMEM;
        } else if (is_named(name, "Instance")) {
                r = take_instance(config, attributes);
        } else if (is_named(name, "Endpoint")) {
                r = take_endpoint(config, attributes);
        }
        if (r < 0)
                stop(reading, r);
}

static void on_shared_end(void *userdata, const char *name) {
        Reading *reading = userdata;
        SharedConfig *config = reading->into;

        if (is_named(name, "Instance") && config->inside) {
                config->inside = false;
                config->done = true;
        }
}

int metadata_parse_waagent(Slice text, Metadata *metadata, Error *error) {
        SharedConfig config = {.metadata = metadata};
        Reading reading = {.into = &config, .error = error};
        int r = read_xml(text, "SharedConfig.xml", on_shared_start, on_shared_end, &reading);

        free(config.instance);
        return r;
}

/* ---- the OVF environment ---- */

static void on_ovf_start(void *userdata, const char *name, const char **attributes) {
        Reading *reading = userdata;
        const char *key = attribute(attributes, "key"), *value = attribute(attributes, "value");
        StringList *properties = reading->into;
        int r;

        if (!is_named(name, "Property") || !key)
                return;
        if (properties->length == PROPERTIES_MAX)
                r = error_set(reading->error, -EINVAL, "the OVF environment has more than %d properties",
                              PROPERTIES_MAX);
        else
                r = string_list_take(properties, str_printf("%s=%s", key, value ?: ""));
        if (r < 0)
                stop(reading, r);
}

int ovf_parse_properties(Slice text, StringList *properties, Error *error) {
        Reading reading = {.into = properties, .error = error};

        return read_xml(text, "the OVF environment", on_ovf_start, NULL, &reading);
}

int ovf_read(void *userdata, const char *key, Buffer *to, Error *error) {
        const StringList *properties = userdata;
        _cleanup_free_ char *wanted = str_printf("guestinfo.%s=", key);

        (void)error;
        if (!wanted)
                return -ENOMEM;
        for (size_t i = properties->length; i-- > 0;)
                if (str_starts_with(properties->items[i], wanted))
                        return buffer_append_string(to, properties->items[i] + strlen(wanted));
        return 0;
}
