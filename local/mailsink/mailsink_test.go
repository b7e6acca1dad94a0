package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"net/url"
	"strings"
	"testing"
	"time"
)

var received = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

// sink is a running mail sink; it is asked as others ask it.
type sink struct {
	*httptest.Server
	smtp string
}

func start(t *testing.T) sink {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	kept := new(box)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newSMTP(kept, func() time.Time { return received }, log)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	web := httptest.NewServer(handler(kept))
	t.Cleanup(web.Close)
	return sink{web, listener.Addr().String()}
}

// send sends by the standard library's client; the lines of text end as Go's do.
func (s sink) send(t *testing.T, text string, to ...string) error {
	t.Helper()
	return smtp.SendMail(s.smtp, nil, "orders@larder.example", to, []byte(strings.ReplaceAll(text, "\n", "\r\n")))
}

func (s sink) get(t *testing.T, path string) (status int, text string, header http.Header) {
	t.Helper()
	response, err := http.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func (s sink) mails(t *testing.T, query string) []mail {
	t.Helper()
	status, text, _ := s.get(t, "/mails"+query)
	var got struct{ Mails []mail }
	if err := json.Unmarshal([]byte(text), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return got.Mails
}

const order = `From: Larder <orders@larder.example>
To: Ada <ada@larder.example>
Subject: =?utf-8?q?Your_order_of_=C2=A327.97?=
Message-ID: <4711-1@larder.dev>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Bananas =C2=A31.20, and a very long line that the sender has broken =
in two.
--inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+QmFuYW5hcyDCozEuMjA8c2NyaXB0PmFsZXJ0KDEp
PC9zY3JpcHQ+PC9wPg==
--inner--
--outer
Content-Type: text/plain
Content-Disposition: attachment; filename=terms.txt

Terms
--outer--
`

func TestMailOfSeveralParts(t *testing.T) {
	s := start(t)
	if err := s.send(t, order, "ada@larder.example", "copy@larder.example"); err != nil {
		t.Fatal(err)
	}
	got := s.mails(t, "")
	if len(got) != 1 {
		t.Fatalf("%d mails", len(got))
	}
	m := got[0]
	if m.From != "orders@larder.example" || strings.Join(m.To, " ") != "ada@larder.example copy@larder.example" || !m.Received.Equal(received) {
		t.Errorf("envelope %+v", m)
	}
	if m.Subject != "Your order of £27.97" || m.MessageID != "4711-1@larder.dev" || m.Fault != "" {
		t.Errorf("headers %+v", m)
	}
	if want := "Bananas £1.20, and a very long line that the sender has broken in two."; strings.TrimSpace(m.Text) != want {
		t.Errorf("text %q, want %q", m.Text, want)
	}
	if want := "<p>Bananas £1.20<script>alert(1)</script></p>"; m.HTML != want {
		t.Errorf("HTML %q, want %q", m.HTML, want)
	}
}

// Mails are listed newest first, by recipient and number.
func TestList(t *testing.T) {
	s := start(t)
	if got := s.mails(t, ""); got == nil || len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 6 {
		to := []string{"ada@larder.example", "bob@larder.example"}[i%2]
		if err := s.send(t, fmt.Sprintf("Subject: %d\n\nhello\n", i), to); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"":                               "5 4 3 2 1 0",
		"?limit=2":                       "5 4",
		"?to=ADA@larder.example":         "4 2 0",
		"?to=bob@larder.example&limit=1": "5",
		"?to=bob":                        "",
	} {
		var subjects []string
		for _, m := range s.mails(t, query) {
			subjects = append(subjects, m.Subject)
		}
		if got := strings.Join(subjects, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, limit := range []string{"0", "-1", "1001", "many"} {
		if status, _, _ := s.get(t, "/mails?limit="+limit); status != http.StatusBadRequest {
			t.Errorf("limit %s: %d", limit, status)
		}
	}
}

// What can't be read is kept and says why, and the next mail comes as ever.
func TestUnreadableMails(t *testing.T) {
	s := start(t)
	deep := "Content-Type: multipart/mixed; boundary=b0\n\n"
	for i := range 12 {
		deep += fmt.Sprintf("--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i+1)
	}
	for name, text := range map[string]string{
		"no headers":    "hello",
		"content type":  "Subject: x\nContent-Type: a/b/c\n\nhello\n",
		"no end":        "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\nhello\n",
		"broken base64": "Subject: x\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n!!\n",
		"deep":          deep,
	} {
		if err := s.send(t, text, "ada@larder.example"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m := s.mails(t, "?limit=1")[0]; m.Fault == "" || m.Text == "" {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if err := s.send(t, "Subject: =?latin-9?q?x?= y\nContent-Type: text/plain\n\n\xff\n", "ada@larder.example"); err != nil {
		t.Fatal(err)
	}
	if m := s.mails(t, "?limit=1")[0]; m.Fault != "" || !strings.Contains(m.Text, "\uFFFD") || m.Subject != "=?latin-9?q?x?= y" {
		t.Errorf("not UTF-8: %+v", m)
	}
	if err := s.send(t, "Subject: long\n\n"+strings.Repeat(strings.Repeat("x", 70)+"\n", maxMail/70), "ada@larder.example"); err == nil {
		t.Error("a mail above the limit is taken")
	}
	if err := s.send(t, order, "ada@larder.example"); err != nil {
		t.Fatal(err)
	}
}

// A box stays within its bounds, and what goes is the oldest.
func TestBoxForgetsTheOldest(t *testing.T) {
	var b box
	for range maxMails + 3 {
		b.add(mail{size: 10})
	}
	if all := b.list("", maxMails*2); len(all) != maxMails || all[0].ID != maxMails+3 || all[maxMails-1].ID != 4 {
		t.Errorf("%d mails, %d to %d", len(all), all[len(all)-1].ID, all[0].ID)
	}
	if _, ok := b.get("3"); ok {
		t.Error("a mail that went is still there")
	}
	b.add(mail{size: maxBytes - 5*10})
	if all := b.list("", maxMails); len(all) != 6 || b.bytes != maxBytes {
		t.Errorf("%d mails of %d bytes", len(all), b.bytes)
	}
}

// A mail's own HTML is shown where it can do nothing, and everything else of it as text.
func TestPage(t *testing.T) {
	s := start(t)
	text := strings.Replace(order, "Subject: =?utf-8?q?Your_order_of_=C2=A327.97?=", `Subject: <b>"x"</b>`, 1)
	if err := s.send(t, text, "ada@larder.example"); err != nil {
		t.Fatal(err)
	}
	status, list, header := s.get(t, "/")
	if status != http.StatusOK || !strings.Contains(list, `<a href="/?mail=1">&lt;b&gt;&#34;x&#34;&lt;/b&gt;</a>`) || !strings.Contains(list, "ada@larder.example") {
		t.Errorf("%d %s", status, list)
	}
	if !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("header %v", header)
	}
	status, one, _ := s.get(t, "/?mail=1")
	if status != http.StatusOK || strings.Contains(one, "<script") || !strings.Contains(one, `<iframe sandbox title="as HTML" src="/mails/1/html">`) ||
		!strings.Contains(one, "<pre>Bananas £1.20,") {
		t.Errorf("%d %s", status, one)
	}
	status, html, header := s.get(t, "/mails/1/html")
	if status != http.StatusOK || html != s.mails(t, "")[0].HTML || !strings.HasPrefix(header.Get("Content-Security-Policy"), "sandbox; default-src 'none'") {
		t.Errorf("%d %s %v", status, html, header)
	}
	for _, id := range []string{"2", "x", url.QueryEscape("<1>")} {
		for _, path := range []string{"/?mail=" + id, "/mails/" + id + "/html"} {
			if status, _, _ := s.get(t, path); status != http.StatusNotFound {
				t.Errorf("%s: %d", path, status)
			}
		}
	}
	if status, _, _ := s.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
}
