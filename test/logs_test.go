package test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// confidential is what no log may hold: by its form, or as the people of the demo and of these tests have it.
var confidential = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"JWT", regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]+`)},
	{"refresh or mail token", regexp.MustCompile(`[\w-]{43,}`)}, // further by isToken
	{"key of the payment provider", regexp.MustCompile(`\b(sk|rk)_(test|live)_\w+|\bwhsec_\w+`)},
	{"private key", regexp.MustCompile(`PRIVATE KEY-----`)},
	{"card token", regexp.MustCompile(`\b(pm|tok)_\w+`)},
	{"mail address", regexp.MustCompile(`(?i)[\w.+-]+(@|%40)[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}`)}, // but for impersonal
	{"password", regexp.MustCompile(`correct-horse|another-horse|of-a-stranger|` + password)},
	{"street", regexp.MustCompile(`\b\d+[a-z]? (St )?[A-Z][\w']+ (Street|Square|Mews|Road|Lane)\b`)},
	{"person", regexp.MustCompile(`Ada Lovelace|` + otherName + `|SW1Y 4LE|N1 9GU|\+442079460123`)},
}

// impersonal addresses are a mail's own id, and a service's account.
var impersonal = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}@larder\.example$|\.iam\.gserviceaccount\.com$`)

// leak names what is confidential in a line of a log; "" is nothing.
func leak(line string) string {
	for _, kind := range confidential {
		for _, hit := range kind.pattern.FindAllString(line, -1) {
			switch {
			case kind.name == "refresh or mail token" && !isToken(hit), kind.name == "mail address" && impersonal.MatchString(hit):
			default:
				return kind.name
			}
		}
	}
	return ""
}

// isToken tells 32 random bytes in base64url from a long name, such as a thread's: they have letters of both cases and digits.
func isToken(word string) bool {
	return len(word) == 43 && strings.ContainsAny(word, "0123456789") && strings.ToLower(word) != word && strings.ToUpper(word) != word
}

// checkLogs reads what each process of the platform has logged, in the folder.
func checkLogs(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"edge", "user", "checkout", "payment", "notifyshopper", "mailsink", "postgres"} {
		if !slices.Contains(files, filepath.Join(folder, name+".log")) {
			t.Errorf("there is no log of %s among %d", name, len(files))
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The mail's log shows that this is the run's: the demo sends some.
		if filepath.Base(file) == "mailsink.log" && !bytes.Contains(text, []byte(`"mail taken"`)) {
			t.Errorf("%s tells of no mail", file)
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			if kind := leak(line); kind != "" { // the line itself would carry it on, into the test's log
				t.Errorf("%s:%d holds a %s", file, number, kind)
			}
		}
	}
}

// TestLeak plants what may not be logged, and what is often logged and may be.
func TestLeak(t *testing.T) {
	const token = "4D6G3NJ7TM3_bX-s0zT9qLh2VwKc8RyEoPaUi5dFgMn"
	for line, want := range map[string]string{
		`{"authorization":"Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIx.c2ln"}`: "JWT",
		`{"msg":"refused","token":"` + token + `"}`:                         "refresh or mail token",
		`GET /verify#token=` + token:                                        "refresh or mail token",
		`Authorization: Bearer sk_test_larder`:                              "key of the payment provider",
		`signed with whsec_larder`:                                          "key of the payment provider",
		`-----BEGIN PRIVATE KEY-----`:                                       "private key",
		`{"payment_method":"pm_card_visa"}`:                                 "card token",
		`no account "ada+shop@shopper.example"`:                             "mail address",
		`GET /v1/users?email=ada%40shopper.example`:                         "mail address",
		`parameters: $1 = 'correct-horse-x'`:                                "password",
		`password ` + password:                                              "password",
		delivery:                                                            "street",
		otherDelivery:                                                       "street",
		`{"recipient":"` + otherName + `"}`:                                 "person",
		`{"msg":"listening","address":"127.0.0.1:18080","trace":"4bf92f3577b34da6a3ce929d0e0e4736"}`: "",
		`{"message_id":"bea546f5-f52f-5263-b03d-bc988100f822@larder.example","bytes":1627}`:          "",
		`called by checkout@larder-local.iam.gserviceaccount.com`:                                    "",
		`Creating thread debezium-jdbcconnection-JdbcConnection-jdbc-connection-close-by-pool-7`:     "",
		`{"order_id":"e4d02033-4c66-5ee0-ae80-21d85cabdfeb","etag":"1","reason":"PAYMENT_DECLINED"}`: "",
	} {
		if got := leak(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
