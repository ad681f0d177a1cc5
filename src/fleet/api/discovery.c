/* discovery: the API described in the form that Google's client generators read. */
#include "fleet/api/handlers.h"

typedef struct Property {
        const char *name, *type; /* "[]X": a list of X; a capital letter begins a schema's name */
} Property;

typedef struct Schema {
        const char *name;
        Property properties[8];
} Schema;

static const Schema schemas[] = {
        {"Machine", {{"id", "string"}, {"primaryIP", "string"}, {"metadata", "{}string"}}},
        {"MachinePage", {{"machines", "[]Machine"}, {"nextPageToken", "string"}}},
        {"UnitOption", {{"section", "string"}, {"name", "string"}, {"value", "string"}}},
        {"Unit",
         {{"name", "string"},
          {"options", "[]UnitOption"},
          {"desiredState", "string"},
          {"currentState", "string"},
          {"machineID", "string"}}},
        {"UnitPage", {{"units", "[]Unit"}, {"nextPageToken", "string"}}},
        {"UnitState",
         {{"name", "string"},
          {"hash", "string"},
          {"machineID", "string"},
          {"systemdLoadState", "string"},
          {"systemdActiveState", "string"},
          {"systemdSubState", "string"}}},
        {"UnitStatePage", {{"states", "[]UnitState"}, {"nextPageToken", "string"}}},
};

typedef struct Method {
        const char *resource, *name, *verb, *path;
        const char *parameters[4];      /* the one that stands in `path` first */
        const char *request, *response; /* schemas, or NULL */
} Method;

/* Rows of one resource stand together. */
static const Method methods[] = {
        {"Machines", "List", "GET", "machines", {"nextPageToken"}, NULL, "MachinePage"},
        {"UnitState", "Get", "GET", "state/{unitName}", {"unitName"}, NULL, "UnitState"},
        {"UnitState", "List", "GET", "state", {"nextPageToken", "unitName", "machineID"}, NULL, "UnitStatePage"},
        {"Units", "List", "GET", "units", {"nextPageToken"}, NULL, "UnitPage"},
        {"Units", "Get", "GET", "units/{unitName}", {"unitName"}, NULL, "Unit"},
        {"Units", "Delete", "DELETE", "units/{unitName}", {"unitName"}, NULL, NULL},
        {"Units", "Set", "PUT", "units/{unitName}", {"unitName"}, "Unit", NULL},
};

static void write_type(JsonWriter *json, const char *type) {
        bool list = str_starts_with(type, "[]"), map = str_starts_with(type, "{}");

        json_begin_object(json);
        if (list || map) {
                json_field_string(json, "type", list ? "array" : "object");
                json_key(json, list ? "items" : "additionalProperties");
                json_begin_object(json);
                type += 2;
        }
        json_field_string(json, type[0] >= 'A' && type[0] <= 'Z' ? "$ref" : "type", type);
        if (list || map)
                json_end_object(json);
        json_end_object(json);
}

static void write_schemas(JsonWriter *json) {
        json_begin_object(json);
        for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
                json_key(json, schemas[i].name);
                json_begin_object(json);
                json_field_string(json, "id", schemas[i].name);
                json_field_string(json, "type", "object");
                json_key(json, "properties");
                json_begin_object(json);
                for (const Property *property = schemas[i].properties; property->name; property++) {
                        json_key(json, property->name);
                        write_type(json, property->type);
                }
                json_end_object(json);
                json_end_object(json);
        }
        json_end_object(json);
}

static void write_schema_name(JsonWriter *json, const char *key, const char *schema) {
        if (!schema)
                return;
        json_key(json, key);
        write_type(json, schema);
}

static void write_method(JsonWriter *json, const Method *method) {
        json_key(json, method->name);
        json_begin_object(json);
        json_key(json, "id");
        {
                _cleanup_free_ char *id = str_printf("fleet.%s.%s", method->resource, method->name);

                json_write_string(json, slice_from(id ?: ""));
        }
        json_field_string(json, "httpMethod", method->verb);
        json_field_string(json, "path", method->path);
        json_key(json, "parameters");
        json_begin_object(json);
        for (const char *const *parameter = method->parameters; *parameter; parameter++) {
                bool in_path = parameter == method->parameters && strchr(method->path, '{');

                json_key(json, *parameter);
                json_begin_object(json);
                json_field_string(json, "type", "string");
                json_field_string(json, "location", in_path ? "path" : "query");
                if (in_path)
                        json_field_bool(json, "required", true);
                json_end_object(json);
        }
        json_end_object(json);
        write_schema_name(json, "request", method->request);
        write_schema_name(json, "response", method->response);
        json_end_object(json);
}

static void write_resources(JsonWriter *json) {
        json_begin_object(json);
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
                bool first = i == 0 || !str_equals(methods[i].resource, methods[i - 1].resource);
                bool last = i + 1 == ARRAY_SIZE(methods) || !str_equals(methods[i].resource, methods[i + 1].resource);

                if (first) {
                        json_key(json, methods[i].resource);
                        json_begin_object(json);
                        json_key(json, "methods");
                        json_begin_object(json);
                }
                write_method(json, &methods[i]);
                if (last) {
                        json_end_object(json);
                        json_end_object(json);
                }
        }
        json_end_object(json);
}

void fleet_discovery_handle(FleetApi *api, HttpRequest *request, const char *path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        (void)api;
        if (*path) {
                fleet_fail(request, 404, "");
                return;
        }
        if (http_request_method(request) != HTTP_METHOD_GET) {
                fleet_fail(request, 400, "only HTTP GET supported against this resource");
                return;
        }
        json_begin_object(&json);
        json_field_string(&json, "kind", "discovery#restDescription");
        json_field_string(&json, "discoveryVersion", "v1");
        json_field_string(&json, "id", "fleet:v1");
        json_field_string(&json, "name", "schema");
        json_field_string(&json, "version", "v1");
        json_field_string(&json, "title", "fleet API");
        json_field_string(&json, "description", "Units on all machines of a cluster");
        json_field_string(&json, "protocol", "rest");
        json_field_string(&json, "rootUrl", "http://domain-sock/");
        json_field_string(&json, "servicePath", "fleet/v1/");
        json_field_string(&json, "basePath", "/fleet/v1/");
        json_key(&json, "schemas");
        write_schemas(&json);
        json_key(&json, "resources");
        write_resources(&json);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}
