#include "fleet/registry/records.h"

#include <errno.h>
#include <jansson.h>

#include "base/json-write.h"

void machine_record_deinit(MachineRecord *record) {
        free(record->id);
        free(record->address);
        free(record->version);
        free(record->instance);
        free(record->logs);
        for (size_t i = 0; i < record->n_metadata; i++) {
                free(record->metadata[i].key);
                free(record->metadata[i].value);
        }
        free(record->metadata);
        *record = (MachineRecord){0};
}

void state_record_deinit(StateRecord *record) {
        free(record->room);
        *record = (StateRecord){0};
}

/* The names are those of fleet's own records. */
int machine_record_write(const MachineRecord *record, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "ID", record->id);
        json_field_string(&json, "PublicIP", record->address);
        json_key(&json, "Metadata");
        json_begin_object(&json);
        for (size_t i = 0; i < record->n_metadata; i++)
                json_field_string(&json, record->metadata[i].key, record->metadata[i].value);
        json_end_object(&json);
        json_field_string(&json, "Version", record->version);
        json_field_string(&json, "Instance", record->instance);
        if (record->logs && *record->logs) /* a field of our own: other readers pass over it */
                json_field_string(&json, "LogsURL", record->logs);
        if (record->memory > 0)
                json_field_u64(&json, "Memory", record->memory);
        if (record->cpu > 0)
                json_field_u64(&json, "MilliCPU", record->cpu);
        json_end_object(&json);
        return buffer_failed(to);
}

int state_record_write(const StateRecord *record, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "loadState", record->load);
        json_field_string(&json, "activeState", record->active);
        json_field_string(&json, "subState", record->sub);
        json_field_string(&json, "unitHash", record->hash);
        json_field_bool(&json, "launched", record->launched);
        if (record->text && *record->text)
                json_field_string(&json, "text", record->text);
        if (record->health && *record->health)
                json_field_string(&json, "health", record->health);
        if (record->health_text && *record->health_text)
                json_field_string(&json, "healthText", record->health_text);
        if (record->failures > 0)
                json_field_u64(&json, "failures", record->failures);
        json_end_object(&json);
        return buffer_failed(to);
}

int placement_write(const PlacementRecord *record, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "reason", record->reason);
        if (record->from)
                json_field_string(&json, "from", record->from);
        json_end_object(&json);
        return buffer_failed(to);
}

int ban_write(const BanRecord *record, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "reason", record->reason);
        json_field_string(&json, "unitHash", record->hash);
        json_end_object(&json);
        return buffer_failed(to);
}

int move_write(const MoveRecord *record, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "from", record->from);
        json_field_string(&json, "to", record->to);
        json_field_string(&json, "reason", record->reason);
        json_end_object(&json);
        return buffer_failed(to);
}

static const char *const cordon_names[] = {[CORDON_NONE] = "active", [CORDON_CLOSED] = "cordoned", [CORDON_DRAINING] = "draining"};

const char *cordon_to_string(PictureCordon cordon) {
        return cordon_names[cordon];
}

int cordon_from_string(const char *text, PictureCordon *ret) {
        for (size_t i = 0; i < ARRAY_SIZE(cordon_names); i++)
                if (str_equals(text, cordon_names[i])) {
                        *ret = (PictureCordon)i;
                        return 0;
                }
        return -EBADMSG;
}

int cordon_write(PictureCordon cordon, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "state", cordon_to_string(cordon));
        json_end_object(&json);
        return buffer_failed(to);
}

int lease_write(const char *machine, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "MachineID", machine);
        json_field_u64(&json, "Version", LEASE_VERSION);
        json_end_object(&json);
        return buffer_failed(to);
}

int unit_text_write(const char *text, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "Raw", text);
        json_end_object(&json);
        return buffer_failed(to);
}

/* A copy of a string member; "" when it is absent. */
static int copy_string(json_t *object, const char *key, char **ret) {
        const char *value = json_string_value(json_object_get(object, key));

        *ret = strdup(value ?: "");
        return *ret ? 0 : -ENOMEM;
}

static int read_metadata(json_t *object, MachineRecord *record) {
        json_t *metadata = json_object_get(object, "Metadata"), *value;
        const char *key;

        if (!json_is_object(metadata))
                return 0;
        record->metadata = calloc(json_object_size(metadata) + 1, sizeof(*record->metadata));
        if (!record->metadata)
                return -ENOMEM;
        json_object_foreach(metadata, key, value) {
                MetadataPair *pair = &record->metadata[record->n_metadata];

                if (!json_is_string(value))
                        continue;
                *pair = (MetadataPair){strdup(key), strdup(json_string_value(value))};
                record->n_metadata++;
                if (!pair->key || !pair->value)
                        return -ENOMEM;
        }
        return 0;
}

/* 0 when it is absent or below. */
static uint64_t read_amount(json_t *object, const char *key) {
        json_int_t value = json_integer_value(json_object_get(object, key));

        return value > 0 ? (uint64_t)value : 0;
}

int machine_record_read(const char *text, MachineRecord *ret) {
        json_t *object = json_loads(text, 0, NULL);
        MachineRecord record = {0};
        int r = json_is_object(object) ? 0 : -EBADMSG;

        if (r >= 0)
                r = copy_string(object, "ID", &record.id);
        if (r >= 0)
                r = copy_string(object, "PublicIP", &record.address);
        if (r >= 0)
                r = copy_string(object, "Version", &record.version);
        if (r >= 0)
                r = copy_string(object, "Instance", &record.instance);
        if (r >= 0)
                r = copy_string(object, "LogsURL", &record.logs);
        if (r >= 0)
                r = read_metadata(object, &record);
        record.memory = read_amount(object, "Memory");
        record.cpu = read_amount(object, "MilliCPU");
        json_decref(object);
        if (r >= 0 && !*record.id)
                r = -EBADMSG;
        if (r < 0) {
                machine_record_deinit(&record);
                return r;
        }
        *ret = record;
        return 0;
}

static const struct {
        const char *key;
        size_t offset;
} state_strings[] = {
        {"loadState", offsetof(StateRecord, load)}, {"activeState", offsetof(StateRecord, active)},
        {"subState", offsetof(StateRecord, sub)},   {"unitHash", offsetof(StateRecord, hash)},
        {"text", offsetof(StateRecord, text)},      {"health", offsetof(StateRecord, health)},
        {"healthText", offsetof(StateRecord, health_text)},
};

static Slice state_string(json_t *object, size_t i) {
        return slice_from(json_string_value(json_object_get(object, state_strings[i].key)) ?: "");
}

/* States are many: their strings are one allocation. */
static int read_state_strings(json_t *object, StateRecord *record) {
        size_t size = 1;
        char *end;

        for (size_t i = 0; i < ARRAY_SIZE(state_strings); i++)
                size += state_string(object, i).length > 0 ? state_string(object, i).length + 1 : 0;
        record->room = end = calloc(size, 1);
        if (!end)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(state_strings); i++) {
                const char **field = (const char **)(void *)((char *)record + state_strings[i].offset);
                Slice value = state_string(object, i);

                *field = value.length > 0 ? memcpy(end, value.data, value.length) : "";
                end += value.length > 0 ? value.length + 1 : 0;
        }
        return 0;
}

int state_record_read(const char *text, StateRecord *ret) {
        json_t *object = json_loads(text, 0, NULL);
        StateRecord record = {0};
        int r = json_is_object(object) ? read_state_strings(object, &record) : -EBADMSG;

        if (r >= 0) {
                record.failures = read_amount(object, "failures");
                record.launched = json_is_true(json_object_get(object, "launched"));
                *ret = record;
        }
        json_decref(object);
        return r;
}

static int read_one(const char *text, const char *key, char **ret) {
        json_t *object = json_loads(text, 0, NULL);
        int r = json_is_string(json_object_get(object, key)) ? copy_string(object, key, ret) : -EBADMSG;

        json_decref(object);
        return r;
}

void placement_record_deinit(PlacementRecord *record) {
        free(record->reason);
        free(record->from);
        *record = (PlacementRecord){0};
}

void ban_record_deinit(BanRecord *record) {
        free(record->reason);
        free(record->hash);
        *record = (BanRecord){0};
}

void move_record_deinit(MoveRecord *record) {
        free(record->from);
        free(record->to);
        free(record->reason);
        *record = (MoveRecord){0};
}

int placement_read(const char *text, PlacementRecord *ret) {
        json_t *object = json_loads(text, 0, NULL);
        PlacementRecord record = {0};
        int r = json_is_string(json_object_get(object, "reason")) ? copy_string(object, "reason", &record.reason) : -EBADMSG;

        if (r >= 0 && json_is_string(json_object_get(object, "from")))
                r = copy_string(object, "from", &record.from);
        json_decref(object);
        if (r < 0) {
                placement_record_deinit(&record);
                return r;
        }
        *ret = record;
        return 0;
}

int ban_read(const char *text, BanRecord *ret) {
        json_t *object = json_loads(text, 0, NULL);
        BanRecord record = {0};
        int r = json_is_object(object) ? copy_string(object, "reason", &record.reason) : -EBADMSG;

        if (r >= 0)
                r = copy_string(object, "unitHash", &record.hash);
        json_decref(object);
        if (r < 0) {
                ban_record_deinit(&record);
                return r;
        }
        *ret = record;
        return 0;
}

int move_read(const char *text, MoveRecord *ret) {
        json_t *object = json_loads(text, 0, NULL);
        MoveRecord record = {0};
        int r = json_is_object(object) ? copy_string(object, "from", &record.from) : -EBADMSG;

        if (r >= 0)
                r = copy_string(object, "to", &record.to);
        if (r >= 0)
                r = copy_string(object, "reason", &record.reason);
        json_decref(object);
        if (r < 0) {
                move_record_deinit(&record);
                return r;
        }
        *ret = record;
        return 0;
}

int lease_read(const char *text, char **ret_machine) {
        json_t *object = json_loads(text, 0, NULL);
        int r = 0;

        if (json_is_object(object))
                r = copy_string(object, "MachineID", ret_machine);
        else if (!(*ret_machine = strdup(text)))
                r = -ENOMEM;
        json_decref(object);
        return r;
}

int cordon_read(const char *text, PictureCordon *ret) {
        _cleanup_free_ char *state = NULL;
        int r = read_one(text, "state", &state);

        return r < 0 ? r : cordon_from_string(state, ret);
}

int unit_text_read(const char *json, char **ret_text) {
        return read_one(json, "Raw", ret_text);
}
