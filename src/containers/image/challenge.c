#include "containers/image/challenge.h"

#include <errno.h>
#include <strings.h>

static void skip_blanks(Slice *rest) {
        while (rest->length > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t' || rest->data[0] == ',')) {
                rest->data++;
                rest->length--;
        }
}

static Slice take_while(Slice *rest, const char *end) {
        Slice part = {rest->data, 0};

        while (part.length < rest->length && !strchr(end, rest->data[part.length]))
                part.length++;
        rest->data += part.length;
        rest->length -= part.length;
        return part;
}

/* name=value or name="value", with \ before what is quoted. */
static int take_parameter(Slice *rest, Slice *ret_name, char *value, size_t size) {
        size_t length = 0;

        *ret_name = slice_trim(take_while(rest, "=,"));
        if (rest->length == 0 || rest->data[0] != '=')
                return -EBADMSG;
        rest->data++;
        rest->length--;
        if (rest->length == 0 || rest->data[0] != '"') {
                Slice token = take_while(rest, ", \t");

                if (token.length >= size)
                        return -EBADMSG;
                memcpy(value, token.data, token.length);
                value[token.length] = '\0';
                return 0;
        }
        for (size_t i = 1; i < rest->length; i++) {
                if (rest->data[i] == '"') {
                        value[length] = '\0';
                        rest->data += i + 1;
                        rest->length -= i + 1;
                        return 0;
                }
                if (rest->data[i] == '\\' && i + 1 < rest->length)
                        i++;
                if (rest->data[i] == '\0' || length + 1 >= size)
                        return -EBADMSG;
                value[length++] = rest->data[i];
        }
        return -EBADMSG;
}

static bool name_is(Slice name, const char *what) {
        return name.length == strlen(what) && strncasecmp(name.data, what, name.length) == 0;
}

int challenge_parse(Slice header, Challenge *ret) {
        Slice rest = slice_trim(header), scheme = take_while(&rest, " \t"), name;
        Challenge result = {0};
        char value[1024];

        if (name_is(scheme, "Basic")) {
                result.basic = true;
                *ret = result;
                return 0;
        }
        if (!name_is(scheme, "Bearer"))
                return -EBADMSG;
        for (skip_blanks(&rest); rest.length > 0; skip_blanks(&rest)) {
                char *to = NULL;
                size_t size = 0;

                if (take_parameter(&rest, &name, value, sizeof(value)) < 0)
                        return -EBADMSG;
                if (name_is(name, "realm"))
                        to = result.realm, size = sizeof(result.realm);
                else if (name_is(name, "service"))
                        to = result.service, size = sizeof(result.service);
                else if (name_is(name, "scope"))
                        to = result.scope, size = sizeof(result.scope);
                if (to && strlen(value) >= size)
                        return -EBADMSG;
                if (to)
                        memcpy(to, value, strlen(value) + 1);
        }
        if (!result.realm[0])
                return -EBADMSG;
        *ret = result;
        return 0;
}
