/* Two filters that are each other's wire, in memory. */
#include "net/test-tls.h"

typedef struct End {
        StreamFilter *filter;
        Buffer plain, wire; /* what came to it, and what it sends */
        int r;              /* the last result of its input */
        bool gone;          /* it has failed: it hears no more */
} End;

typedef struct Notes {
        size_t good, bad;
        char last[ERROR_TEXT_MAX + 128];
} Notes;

static Certificates certificates;
static Notes notes;

static void on_note(void *userdata, bool bad, const char *text) {
        (void)userdata;
        notes.good += !bad;
        notes.bad += bad;
        (void)snprintf(notes.last, sizeof(notes.last), "%s", text);
}

static TlsSettings server_settings(void) {
        return (TlsSettings){.cert_file = certificates_path(&certificates, "server.pem"),
                             .key_file = certificates_path(&certificates, "server-key.pem"),
                             .note = on_note};
}

static TlsSettings client_settings(void) {
        return (TlsSettings){
                .ca_file = certificates_path(&certificates, "ca.pem"), .ca_option = "--ca-file", .note = on_note};
}

static TlsContext *context_new(TlsSettings settings) {
        Error error = ERROR_NONE;
        TlsContext *context;

        if (tls_context_new(&settings, &context, &error) < 0)
                fail_msg("%s", error.text);
        return context;
}

static void end_deinit(End *end) {
        if (end->filter)
                end->filter->ops->free(end->filter);
        buffer_deinit(&end->plain);
        buffer_deinit(&end->wire);
}

/* Gives `to` all that `from` has sent, in pieces of `piece` bytes. */
static bool carry(End *from, End *to, size_t piece) {
        _cleanup_buffer_ Buffer sent = from->wire;
        size_t length = buffer_length(&sent);

        from->wire = BUFFER_INIT;
        for (size_t at = 0; at < length && !to->gone; at += piece) {
                to->r = to->filter->ops->input(to->filter, buffer_data(&sent) + at, min_of(piece, length - at),
                                               &to->plain, &to->wire);
                to->gone = to->r < 0;
        }
        return length > 0;
}

static void carry_all(End *client, End *server, size_t piece) {
        bool more = true;

        while (more) {
                more = carry(client, server, piece);
                more = carry(server, client, piece) || more;
        }
}

typedef struct Pair {
        TlsContext *client_context, *server_context;
        End client, server;
} Pair;

/* A pair whose client has begun; the contexts stay the caller's. */
static void pair_begin_host(Pair *pair, const char *host) {
        pair->client = pair->server = (End){0};
        assert_int_equal(tls_client_filter(pair->client_context, host, 443, USEC_PER_SEC, &pair->client.filter), 0);
        assert_int_equal(tls_server_filter(pair->server_context, USEC_PER_SEC, &pair->server.filter), 0);
        assert_int_equal(pair->client.filter->ops->output(pair->client.filter, "", 0, &pair->client.wire), 0);
}

static void pair_end(Pair *pair) {
        end_deinit(&pair->client);
        end_deinit(&pair->server);
}

static void pair_init(Pair *pair, TlsSettings client, TlsSettings server) {
        *pair = (Pair){.client_context = context_new(client), .server_context = context_new(server)};
        pair_begin_host(pair, "127.0.0.1");
}

static void pair_deinit(Pair *pair) {
        (void)tls_context_free(pair->client_context); /* the filters hold on to theirs */
        (void)tls_context_free(pair->server_context);
        pair_end(pair);
}

static void say(End *end, const char *bytes, size_t length) {
        assert_int_equal(end->filter->ops->output(end->filter, bytes, length, &end->wire), 0);
}

static void assert_heard(End *end, const char *text) {
        assert_string_equal(buffer_string(&end->plain), text);
        buffer_clear(&end->plain);
}

/* Nothing comes through; the side's problem has `text`. */
static void assert_refused(const End *end, int r, const char *text) {
        assert_int_equal(end->r, r);
        assert_non_null(end->filter->problem);
        if (!strstr(end->filter->problem, text))
                fail_msg("\"%s\" lacks \"%s\"", end->filter->problem, text);
        assert_int_equal(buffer_length(&end->plain), 0);
}

/* ---- what works ---- */

static void test_bytes_come_through_in_any_pieces(void **state) {
        static const size_t pieces[] = {1, 7, 1000, 65536};
        static char big[200000];

        (void)state;
        for (size_t i = 0; i < sizeof(big); i++)
                big[i] = (char)(i * 31 >> 3);
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                Pair pair;

                pair_init(&pair, client_settings(), server_settings());
                say(&pair.client, "before the handshake", 20);
                carry_all(&pair.client, &pair.server, pieces[i]);
                assert_false(pair.client.filter->shakes || pair.server.filter->shakes);
                assert_heard(&pair.server, "before the handshake");
                say(&pair.server, big, sizeof(big));
                say(&pair.client, "to you", 6);
                carry_all(&pair.client, &pair.server, pieces[i]);
                assert_heard(&pair.server, "to you");
                assert_int_equal(buffer_length(&pair.client.plain), sizeof(big));
                assert_memory_equal(buffer_data(&pair.client.plain), big, sizeof(big));
                pair_deinit(&pair);
        }
}

static void test_one_side_may_end_before_the_other(void **state) {
        Pair pair;

        (void)state;
        pair_init(&pair, client_settings(), server_settings());
        carry_all(&pair.client, &pair.server, 65536);
        say(&pair.client, "last", 4);
        assert_int_equal(pair.client.filter->ops->end(pair.client.filter, &pair.client.wire), 0);
        carry_all(&pair.client, &pair.server, 65536);
        assert_heard(&pair.server, "last");
        assert_int_equal(pair.server.r, 1);
        say(&pair.server, "answer", 6);
        assert_int_equal(pair.server.filter->ops->end(pair.server.filter, &pair.server.wire), 0);
        carry_all(&pair.client, &pair.server, 65536);
        assert_heard(&pair.client, "answer");
        assert_int_equal(pair.client.r, 1);
        pair_deinit(&pair);
}

static void test_what_a_client_waits_for_may_not_be_cut_off(void **state) {
        Pair pair;

        (void)state;
        pair_init(&pair, client_settings(), server_settings());
        carry_all(&pair.client, &pair.server, 65536);
        assert_int_equal(pair.server.filter->ops->input_end(pair.server.filter), 0);
        assert_int_equal(pair.client.filter->ops->input_end(pair.client.filter), -ECONNRESET);
        assert_non_null(strstr(pair.client.filter->problem, "cut off"));
        pair_deinit(&pair);
}

static void test_a_verified_client_has_a_name(void **state) {
        TlsSettings server = server_settings(), client = client_settings();
        Pair pair;

        (void)state;
        server.ca_file = client.ca_file;
        server.want_client_cert = true;
        pair_init(&pair, client, server);
        carry_all(&pair.client, &pair.server, 65536);
        assert_int_equal(pair.server.r, 0);
        assert_null(pair.server.filter->peer);
        pair_deinit(&pair);

        client.cert_file = certificates_path(&certificates, "client.pem");
        client.key_file = certificates_path(&certificates, "client-key.pem");
        pair_init(&pair, client, server);
        carry_all(&pair.client, &pair.server, 65536);
        assert_string_equal(pair.server.filter->peer, "alice");
        assert_string_equal(pair.client.filter->peer, "server");
        pair_deinit(&pair);
}

static bool was_resumed(const End *end) {
        return SSL_session_reused(container_of(end->filter, TlsFilter, filter)->ssl);
}

static void test_a_session_is_taken_up_again_with_its_name(void **state) {
        TlsSettings server = server_settings(), client = client_settings();
        Pair pair;

        (void)state;
        server.ca_file = client.ca_file;
        server.need_client_cert = true;
        server.allowed_cn = "alice";
        client.cert_file = certificates_path(&certificates, "client.pem");
        client.key_file = certificates_path(&certificates, "client-key.pem");
        pair_init(&pair, client, server);
        for (int round = 0; round < 3; round++) {
                say(&pair.client, "hello", 5);
                carry_all(&pair.client, &pair.server, 65536);
                assert_heard(&pair.server, "hello");
                assert_int_equal(was_resumed(&pair.server), round > 0);
                assert_int_equal(was_resumed(&pair.client), round > 0);
                assert_string_equal(pair.server.filter->peer, "alice");
                pair_end(&pair);
                pair_begin_host(&pair, "127.0.0.1");
        }
        pair_end(&pair);
        pair_begin_host(&pair, "localhost"); /* another host: nothing of it is known */
        carry_all(&pair.client, &pair.server, 65536);
        assert_false(was_resumed(&pair.client));
        pair_deinit(&pair);
}

/* ---- who is refused ---- */

static void assert_server_refused(TlsSettings client, const char *host, const char *text) {
        Pair pair;

        pair_init(&pair, client, server_settings());
        pair_end(&pair);
        pair_begin_host(&pair, host);
        say(&pair.client, "secret", 6);
        carry_all(&pair.client, &pair.server, 65536);
        assert_refused(&pair.client, -EPROTO, text);
        assert_refused(&pair.server, pair.server.r, "does not");
        pair_deinit(&pair);
}

static void test_a_server_with_another_name_is_refused(void **state) {
        (void)state;
        assert_server_refused(client_settings(), "10.0.0.1",
                              "the server's certificate is for localhost, 127.0.0.1, not for 10.0.0.1");
        assert_server_refused(client_settings(), "example.com", "not for example.com");
}

static void test_a_server_of_an_unknown_authority_is_refused(void **state) {
        TlsSettings client = client_settings();

        (void)state;
        client.ca_file = certificates_path(&certificates, "other-ca.pem");
        assert_server_refused(client, "127.0.0.1", "other-ca.pem does not know");
        assert_server_refused(client, "127.0.0.1", "--ca-file");
        client.ca_file = NULL;
        assert_server_refused(client, "127.0.0.1", "this system does not know: --ca-file names");
}

static void test_trust_without_knowledge_must_be_asked_for(void **state) {
        TlsSettings client = client_settings();
        Pair pair;

        (void)state;
        client.ca_file = NULL;
        client.trust_any_server = true;
        pair_init(&pair, client, server_settings());
        pair_end(&pair);
        pair_begin_host(&pair, "10.9.9.9");
        say(&pair.client, "hello", 5);
        carry_all(&pair.client, &pair.server, 65536);
        assert_heard(&pair.server, "hello");
        assert_null(pair.client.filter->peer);
        pair_deinit(&pair);
}

/* Who the client is, and what the server says of it. */
static void assert_client_refused(TlsSettings client, TlsSettings server, const char *text) {
        Pair pair;

        pair_init(&pair, client, server);
        say(&pair.client, "request", 7);
        carry_all(&pair.client, &pair.server, 65536);
        assert_refused(&pair.server, -EPROTO, text);
        assert_null(pair.server.filter->peer);
        assert_int_equal(pair.client.r, -EPROTO); /* it hears why */
        pair_deinit(&pair);
}

static TlsSettings client_of(const char *name) {
        TlsSettings client = client_settings();
        char file[64];

        (void)snprintf(file, sizeof(file), "%s.pem", name);
        client.cert_file = certificates_path(&certificates, file);
        (void)snprintf(file, sizeof(file), "%s-key.pem", name);
        client.key_file = certificates_path(&certificates, file);
        return client;
}

static void test_clients_that_may_not_in_are_refused(void **state) {
        TlsSettings server = server_settings();

        (void)state;
        certificates_add(&certificates, "stranger", &certificates.other_ca, (CertificateSpec){.cn = "alice"});
        certificates_add(&certificates, "not-client", &certificates.ca,
                         (CertificateSpec){.cn = "alice", .usage = "serverAuth"});
        certificates_add(&certificates, "bob", &certificates.ca,
                         (CertificateSpec){.cn = "bob", .hosts = "DNS:bob.example.com"});
        server.ca_file = certificates_path(&certificates, "ca.pem");
        server.ca_option = "--trusted-ca-file";
        server.need_client_cert = true;
        assert_client_refused(client_settings(), server,
                              "showed no certificate; it must show one that --trusted-ca-file");
        server.ca_file = certificates_path(&certificates, "ca.pem");
        assert_client_refused(client_of("stranger"), server,
                              "is signed by an authority (CN=other authority) that --trusted-ca-file");
        assert_client_refused(client_of("not-client"), server, "is not for clients");
        server = server_settings();
        server.ca_file = certificates_path(&certificates, "ca.pem");
        server.need_client_cert = true;
        server.allowed_cn = "alice";
        assert_client_refused(client_of("bob"), server, "is of \"bob\"; only \"alice\" is allowed");
        server = server_settings();
        server.ca_file = certificates_path(&certificates, "ca.pem");
        server.need_client_cert = true;
        server.allowed_host = "alice.example.com";
        assert_client_refused(client_of("bob"), server, "is for bob.example.com; only alice.example.com is allowed");
}

static void test_a_client_without_certificate_hears_what_is_missing(void **state) {
        TlsSettings server = server_settings();
        Pair pair;

        (void)state;
        server.ca_file = certificates_path(&certificates, "ca.pem");
        server.need_client_cert = true;
        pair_init(&pair, client_settings(), server);
        carry_all(&pair.client, &pair.server, 65536);
        assert_refused(&pair.client, -EPROTO, "wants a client's certificate, and this side has none");
        pair_deinit(&pair);
}

static void write_revoked(const char *path, long serial_of_client) {
        X509_CRL *list = X509_CRL_new();
        X509_REVOKED *one = X509_REVOKED_new();
        ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *later = X509_gmtime_adj(NULL, 3600);
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        FILE *file = fopen(path, "we");

        (void)X509_CRL_set_version(list, X509_CRL_VERSION_2);
        (void)X509_CRL_set_issuer_name(list, X509_get_subject_name(certificates.ca.certificate));
        (void)X509_CRL_set1_lastUpdate(list, now);
        (void)X509_CRL_set1_nextUpdate(list, later);
        (void)ASN1_INTEGER_set(serial, serial_of_client);
        (void)X509_REVOKED_set_serialNumber(one, serial);
        (void)X509_REVOKED_set_revocationDate(one, now);
        (void)X509_CRL_add0_revoked(list, one);
        assert_true(X509_CRL_sign(list, certificates.ca.key, EVP_sha256()) > 0);
        assert_int_equal(PEM_write_X509_CRL(file, list), 1);
        assert_int_equal(fclose(file), 0);
        ASN1_INTEGER_free(serial);
        ASN1_TIME_free(now);
        ASN1_TIME_free(later);
        X509_CRL_free(list);
}

static long serial_of(const char *path) {
        FILE *file = fopen(path, "re");
        X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
        long serial = ASN1_INTEGER_get(X509_get0_serialNumber(certificate));

        X509_free(certificate);
        (void)fclose(file);
        return serial;
}

static void test_a_revoked_client_is_refused(void **state) {
        TlsSettings server = server_settings();
        Pair pair;

        (void)state;
        certificates_add(&certificates, "thief", &certificates.ca, (CertificateSpec){.cn = "alice"});
        server.ca_file = certificates_path(&certificates, "ca.pem");
        server.crl_file = certificates_path(&certificates, "revoked.pem");
        server.need_client_cert = true;
        write_revoked(server.crl_file, serial_of(certificates_path(&certificates, "thief.pem")));
        assert_client_refused(client_of("thief"), server, "was revoked, says");
        server = server_settings();
        server.ca_file = certificates_path(&certificates, "ca.pem");
        server.crl_file = certificates_path(&certificates, "revoked.pem");
        server.need_client_cert = true;
        pair_init(&pair, client_of("client"), server);
        carry_all(&pair.client, &pair.server, 65536);
        assert_string_equal(pair.server.filter->peer, "alice");
        pair_deinit(&pair);
}

/* ---- files ---- */

static void assert_cannot_load(TlsSettings settings, int expected, const char *text) {
        TlsContext *context = NULL;
        Error error = ERROR_NONE;

        assert_int_equal(tls_context_new(&settings, &context, &error), expected);
        assert_null(context);
        if (!strstr(error.text, text))
                fail_msg("\"%s\" lacks \"%s\"", error.text, text);
}

static void test_files_that_cannot_be_used_are_named(void **state) {
        TlsSettings settings = server_settings();

        (void)state;
        certificates_add(&certificates, "old", &certificates.ca,
                         (CertificateSpec){.cn = "old", .from = -7200, .until = -3600});
        certificates_add(&certificates, "new", &certificates.ca, (CertificateSpec){.cn = "new", .from = 3600});
        settings.key_file = NULL;
        assert_cannot_load(settings, -EINVAL, "server.pem needs its key");
        settings.key_file = certificates_path(&certificates, "client-key.pem");
        assert_cannot_load(settings, -EINVAL, "client-key.pem does not belong to the certificate");
        settings.key_file = certificates_path(&certificates, "none.pem");
        assert_cannot_load(settings, -ENOENT, "cannot read");
        settings = server_settings();
        settings.key_file = settings.cert_file;
        assert_cannot_load(settings, -EINVAL, "is no private key in PEM form");
        settings = server_settings();
        settings.ca_file = settings.key_file;
        assert_cannot_load(settings, -EINVAL, "hold no certificate");
        assert_cannot_load(client_of("old"), -EKEYEXPIRED, "expired on 20");
        assert_cannot_load(client_of("old"), -EKEYEXPIRED, "renew it");
        assert_cannot_load(client_of("new"), -EKEYEXPIRED, "clock right?");
}

static void copy_certificate(const char *from, const char *to) {
        _cleanup_free_ char *command = str_printf("cd '%s' && cp %s.pem %s.pem && cp %s-key.pem %s-key.pem",
                                                  certificates.folder, from, to, from, to);

        assert_int_equal(system(command), 0);
}

/* The CN that the server shows at that time. */
static void assert_shows(Pair *pair, Usec now, const char *name) {
        pair->client = pair->server = (End){0};
        assert_int_equal(tls_client_filter(pair->client_context, "127.0.0.1", 443, now, &pair->client.filter), 0);
        assert_int_equal(tls_server_filter(pair->server_context, now, &pair->server.filter), 0);
        say(&pair->client, "hello", 5);
        carry_all(&pair->client, &pair->server, 65536);
        assert_heard(&pair->server, "hello");
        assert_string_equal(pair->client.filter->peer, name);
        pair_end(pair);
}

static void test_changed_files_are_taken_up_and_broken_ones_are_not(void **state) {
        TlsSettings server = server_settings();
        Pair pair = {0};

        (void)state;
        certificates_add(&certificates, "second", &certificates.ca,
                         (CertificateSpec){.cn = "second", .hosts = "IP:127.0.0.1"});
        copy_certificate("server", "live");
        server.cert_file = certificates_path(&certificates, "live.pem");
        server.key_file = certificates_path(&certificates, "live-key.pem");
        pair.client_context = context_new(client_settings());
        pair.server_context = context_new(server);
        notes = (Notes){0};
        assert_shows(&pair, 1 * USEC_PER_SEC, "server");
        copy_certificate("second", "live");
        assert_shows(&pair, 1 * USEC_PER_SEC + 1, "server"); /* it is not looked at so often */
        assert_shows(&pair, 3 * USEC_PER_SEC, "second");
        assert_int_equal(notes.good, 1);

        pem_write(certificates_path(&certificates, "live.pem"), certificates.ca.certificate, NULL); /* not the key's */
        assert_shows(&pair, 5 * USEC_PER_SEC, "second");
        assert_shows(&pair, 7 * USEC_PER_SEC, "second");
        assert_int_equal(notes.bad, 1); /* told of once */
        assert_non_null(strstr(notes.last, "does not belong to the certificate"));
        assert_int_equal(unlink(certificates_path(&certificates, "live.pem")), 0);
        assert_shows(&pair, 9 * USEC_PER_SEC, "second");
        assert_int_equal(notes.bad, 2);
        copy_certificate("server", "live");
        assert_shows(&pair, 11 * USEC_PER_SEC, "server");
        assert_int_equal(notes.good, 2);
        (void)tls_context_free(pair.client_context);
        (void)tls_context_free(pair.server_context);
}

static void test_a_self_signed_certificate_is_made_once(void **state) {
        _cleanup_string_list_ StringList hosts = {0};
        char folder[128], cert[160], key[160];
        TlsSettings server = {0}, client = client_settings();
        struct stat before, after, mode;
        Error error = ERROR_NONE;
        Pair pair;

        (void)state;
        (void)snprintf(folder, sizeof(folder), "%s/fixtures/client", certificates.folder);
        (void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
        (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
        assert_int_equal(string_list_add(&hosts, "127.0.0.1"), 0);
        assert_int_equal(string_list_add(&hosts, "m1.example.com"), 0);
        assert_int_equal(tls_make_self_signed(folder, &hosts, &error), 0);
        assert_int_equal(stat(cert, &before), 0);
        assert_int_equal(tls_make_self_signed(folder, &hosts, &error), 0);
        assert_int_equal(stat(cert, &after), 0);
        assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
        assert_int_equal(stat(key, &mode), 0);
        assert_int_equal(mode.st_mode & 0777, 0600);
        server = (TlsSettings){.cert_file = cert, .key_file = key};
        client.ca_file = cert;
        pair_init(&pair, client, server);
        say(&pair.client, "hello", 5);
        carry_all(&pair.client, &pair.server, 65536);
        assert_heard(&pair.server, "hello");
        pair_deinit(&pair);
}

/* ---- garbage ---- */

static void assert_server_breaks(const char *bytes, size_t length, int r, const char *text) {
        Pair pair;

        pair_init(&pair, client_settings(), server_settings());
        buffer_clear(&pair.client.wire);
        assert_int_equal(buffer_append(&pair.client.wire, bytes, length), 0);
        (void)carry(&pair.client, &pair.server, 65536);
        assert_refused(&pair.server, r, text);
        assert_true(buffer_length(&pair.server.wire) > 0); /* the peer hears of it */
        pair_deinit(&pair);
}

static void test_http_and_garbage_are_told_apart(void **state) {
        static const char garbage[] = "\x16\x03\x01\xff\xff\x01garbage";

        (void)state;
        assert_server_breaks("GET / HTTP/1.1\r\n\r\n", 18, -EPROTO, "speaks HTTP to a port of HTTPS");
        assert_server_breaks(garbage, sizeof(garbage) - 1, -EBADMSG, "sent what is no TLS");
        assert_server_breaks("\x17\x03\x03\x00\x05hello", 10, -EBADMSG, "sent what is no TLS");
}

static void test_a_changed_record_breaks_the_stream(void **state) {
        Pair pair;

        (void)state;
        pair_init(&pair, client_settings(), server_settings());
        carry_all(&pair.client, &pair.server, 65536);
        say(&pair.client, "a hundred pounds", 16);
        buffer_data(&pair.client.wire)[buffer_length(&pair.client.wire) - 3] ^= 1;
        carry_all(&pair.client, &pair.server, 65536);
        assert_refused(&pair.server, -EBADMSG, "no TLS");
        assert_int_equal(pair.server.filter->ops->output(pair.server.filter, "x", 1, &pair.server.wire), -EPIPE);
        pair_deinit(&pair);
}

static void test_keys_are_not_changed_without_end(void **state) {
        Pair pair;
        SSL *client;
        size_t rounds = 0;

        (void)state;
        pair_init(&pair, client_settings(), server_settings());
        carry_all(&pair.client, &pair.server, 65536);
        client = container_of(pair.client.filter, TlsFilter, filter)->ssl;
        for (; rounds < 10000 && pair.server.r == 0; rounds++) {
                assert_int_equal(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
                say(&pair.client, "x", 1); /* the request goes with it */
                (void)carry(&pair.client, &pair.server, 65536);
                buffer_clear(&pair.server.plain);
        }
        assert_true(rounds > 100 && rounds < 10000);
        assert_refused(&pair.server, -EPROTO, "asks for new keys without end");
        pair_deinit(&pair);
}

static void test_an_intermediate_authority_can_be_believed_alone(void **state) {
        const CertificateSpec spec = {.cn = "intermediate", .is_authority = true};
        TlsSettings server = server_settings(), client = client_settings();
        Authority middle;
        Pair pair;

        (void)state;
        certificate_make(&certificates.ca, &spec, &middle.certificate, &middle.key);
        pem_write(certificates_path(&certificates, "middle.pem"), middle.certificate, NULL);
        certificates_add(&certificates, "deep", &middle, (CertificateSpec){.cn = "deep", .hosts = "IP:127.0.0.1"});
        server.cert_file = certificates_path(&certificates, "deep.pem");
        server.key_file = certificates_path(&certificates, "deep-key.pem");
        client.ca_file = certificates_path(&certificates, "middle.pem");
        pair_init(&pair, client, server);
        carry_all(&pair.client, &pair.server, 65536);
        assert_string_equal(pair.client.filter->peer, "deep");
        pair_deinit(&pair);
        X509_free(middle.certificate);
        EVP_PKEY_free(middle.key);
}

static void test_http_where_tls_was_expected_is_guessed(void **state) {
        Pair pair;

        (void)state;
        pair_init(&pair, client_settings(), server_settings());
        assert_int_equal(buffer_append_string(&pair.server.wire, "HTTP/1.1 400 Bad Request\r\n\r\n"), 0);
        (void)carry(&pair.server, &pair.client, 65536);
        assert_refused(&pair.client, -EPROTO, "is its address http://");
        pair_deinit(&pair);
}

/* Old protocols and other applications. */
static void test_only_tls_12_and_later_is_spoken(void **state) {
        SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
        SSL *client = SSL_new(ssl);
        BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
        char hello[4096];
        int n;

        (void)state;
        SSL_set_bio(client, in, out);
        SSL_set_security_level(client, 0);
        (void)SSL_set_min_proto_version(client, TLS1_VERSION);
        (void)SSL_set_max_proto_version(client, TLS1_1_VERSION);
        (void)SSL_connect(client);
        n = BIO_read(out, hello, sizeof(hello));
        if (n > 0) /* else the library does not even offer it */
                assert_server_breaks(hello, (size_t)n, -EPROTO, "speaks neither TLS 1.2 nor 1.3");
        SSL_free(client);

        client = SSL_new(ssl);
        in = BIO_new(BIO_s_mem());
        out = BIO_new(BIO_s_mem());
        SSL_set_bio(client, in, out);
        (void)SSL_set_alpn_protos(client, (const unsigned char *)"\x02h2", 3);
        (void)SSL_connect(client);
        n = BIO_read(out, hello, sizeof(hello));
        assert_true(n > 0);
        assert_server_breaks(hello, (size_t)n, -EPROTO, "does not speak HTTP/1.1");
        SSL_free(client);
        SSL_CTX_free(ssl);
}

static int set_up(void **state) {
        (void)state;
        certificates_init(&certificates);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        certificates_deinit(&certificates);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes_come_through_in_any_pieces),
                cmocka_unit_test(test_one_side_may_end_before_the_other),
                cmocka_unit_test(test_what_a_client_waits_for_may_not_be_cut_off),
                cmocka_unit_test(test_a_verified_client_has_a_name),
                cmocka_unit_test(test_a_session_is_taken_up_again_with_its_name),
                cmocka_unit_test(test_a_server_with_another_name_is_refused),
                cmocka_unit_test(test_a_server_of_an_unknown_authority_is_refused),
                cmocka_unit_test(test_trust_without_knowledge_must_be_asked_for),
                cmocka_unit_test(test_clients_that_may_not_in_are_refused),
                cmocka_unit_test(test_a_client_without_certificate_hears_what_is_missing),
                cmocka_unit_test(test_a_revoked_client_is_refused),
                cmocka_unit_test(test_files_that_cannot_be_used_are_named),
                cmocka_unit_test(test_changed_files_are_taken_up_and_broken_ones_are_not),
                cmocka_unit_test(test_a_self_signed_certificate_is_made_once),
                cmocka_unit_test(test_http_and_garbage_are_told_apart),
                cmocka_unit_test(test_a_changed_record_breaks_the_stream),
                cmocka_unit_test(test_keys_are_not_changed_without_end),
                cmocka_unit_test(test_an_intermediate_authority_can_be_believed_alone),
                cmocka_unit_test(test_http_where_tls_was_expected_is_guessed),
                cmocka_unit_test(test_only_tls_12_and_later_is_spoken),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
