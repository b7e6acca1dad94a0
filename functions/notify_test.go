package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	orderpb "larder.dev/api/order/v1"
	typepb "larder.dev/api/type/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

const (
	adasMail  = "ada.secret@shoppers.example"
	adasToken = "adas_Token-of-43-letters"
)

// late is who has registered with an address that somebody has verified.
const late = "7a1c3a52-5b0e-4bd4-9a49-2f6d7e8f0002"

// mailServer is a real SMTP server that keeps what it takes. refuse is its answer to a recipient; nil takes them.
type mailServer struct {
	address string

	mu     sync.Mutex
	refuse error
	mails  []letterReceived
}

type letterReceived struct {
	from, to   string
	header     mail.Header
	text, html string
}

func startMail(t *testing.T, configure func(*smtp.Server)) *mailServer {
	t.Helper()
	m := &mailServer{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil }))
	server.Domain = "mail.example"
	if configure != nil {
		configure(server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	m.address = listener.Addr().String()
	t.Setenv("SMTP_ADDR", m.address)
	return m
}

func (m *mailServer) refuses(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

func (m *mailServer) received() []letterReceived {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letterReceived(nil), m.mails...)
}

type mailSession struct {
	server   *mailServer
	from, to string
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return s.server.refuse
}

func (s *mailSession) Data(r io.Reader) error {
	letter := letterReceived{from: s.from, to: s.to}
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	letter.header = message.Header
	_, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return err
		}
		switch kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind {
		case "text/plain":
			letter.text += strings.ReplaceAll(string(body), "\r\n", "\n")
		case "text/html":
			letter.html += string(body)
		}
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, letter)
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// notices answers BeginNotice and EndNotice as the user service does, but that nothing is taken over until expire.
type notices struct {
	mu    sync.Mutex
	state map[string]userpb.BeginNoticeResponse_State
}

func (r *rig) notices() *notices {
	n := &notices{state: map[string]userpb.BeginNoticeResponse_State{}}
	r.services.answers("BeginNotice", func(_ context.Context, request proto.Message) (proto.Message, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		id := request.(*userpb.BeginNoticeRequest).GetEventId()
		if state, known := n.state[id]; known {
			return &userpb.BeginNoticeResponse{State: state}, nil
		}
		n.state[id] = userpb.BeginNoticeResponse_BUSY
		due := &userpb.BeginNoticeResponse{State: userpb.BeginNoticeResponse_DUE, Email: adasMail, DisplayName: "Ada <L>"}
		asked := request.(*userpb.BeginNoticeRequest)
		due.AddressTaken = asked.GetVerifyEmail() && asked.GetUserId() == late
		if asked.GetPasswordResetId() != "" || asked.GetVerifyEmail() && !due.AddressTaken {
			due.Token = adasToken
		}
		return due, nil
	})
	r.services.answers("EndNotice", func(_ context.Context, request proto.Message) (proto.Message, error) {
		n.set(request.(*userpb.EndNoticeRequest).GetEventId(), userpb.BeginNoticeResponse_SENT)
		return nil, nil
	})
	return n
}

func (n *notices) set(id string, state userpb.BeginNoticeResponse_State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state[id] = state
}

// expire lets every notice that was begun be taken over.
func (n *notices) expire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, state := range n.state {
		if state == userpb.BeginNoticeResponse_BUSY {
			delete(n.state, id)
		}
	}
}

// notifying starts the function with a mail server, and at the end sees that no log and no dead letter holds an address.
func notifying(t *testing.T, configure func(*smtp.Server)) (*rig, *mailServer, *notices) {
	t.Helper()
	r := newRig(t)
	server := startMail(t, configure)
	t.Setenv("MAIL_VERIFY_URL", "https://shop.example/verify")
	t.Setenv("MAIL_RESET_URL", "https://shop.example/reset")
	r.start("NotifyShopper")
	r.push(event.OrderEvents)
	r.push(event.UserEvents)
	t.Cleanup(func() {
		for _, secret := range []string{adasMail, adasToken} {
			if strings.Contains(r.logs(), secret) {
				t.Errorf("%s is in the logs: %s", secret, r.logs())
			}
			for _, letter := range r.collected() {
				for name, value := range letter.Attributes {
					if strings.Contains(value, secret) {
						t.Errorf("%s is in a dead letter: %s=%s", secret, name, value)
					}
				}
			}
		}
	})
	noticed := r.notices()
	return r, server, noticed
}

// updateMails writes the mails anew: go test ./functions -run TestMails -update-mails. Look at the difference before you commit it.
var updateMails = flag.Bool("update-mails", false, "write testdata/mails anew")

// golden compares a mail's part with the file of its name, to the letter.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "mails", notInNames.ReplaceAllString(strings.ToLower(name), "-"))
	got = strings.ReplaceAll(got, "\r\n", "\n")
	if *updateMails {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, []byte(got), 0o600)); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: go test ./functions -run TestMails -update-mails writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s is not the mail:\n%s", file, got)
	}
}

var notInNames = regexp.MustCompile(`[^a-z0-9.]+`)

// Each kind of event leads to one mail, in text and HTML, however often it comes.
func TestMails(t *testing.T) {
	r, server, _ := notifying(t, nil)
	packed := order()
	pence := func(n int64) *typepb.Money { return &typepb.Money{Currency: "GBP", MinorUnits: n} }
	packed.Receipt = &orderpb.Receipt{
		Lines: []*orderpb.ReceiptLine{
			{ProductId: "bananas", Name: "Bananas & <b>nuts</b>", Quantity: 1, Grams: 900, LineTotal: pence(130)},
			{ProductId: "plantains", Name: "Plantains", Quantity: 1, Discount: pence(20), LineTotal: pence(120), SubstituteFor: "bananas"},
			{ProductId: "oat-milk", Name: "Oat milk", Quantity: 1, LineTotal: pence(199)},
		},
		Totals: &typepb.Totals{Lines: pence(469), Discounts: pence(20), DeliveryFee: pence(399), Total: pence(848), Tax: pence(99)},
	}
	cancelled := order()
	cancelled.DeliverySlot = nil
	for _, c := range []struct {
		topic   string
		message proto.Message
		subject string
		text    []string
		html    []string
	}{
		{
			event.OrderEvents, &orderpb.OrderPacked{Order: packed, Version: 3}, "What we picked for you, 832bd3c6",
			[]string{
				"Not there, and not charged:\n\n  2 x Bananas & <b>nuts</b>\n", "\n  1 x Bananas & <b>nuts</b>                         £1.30\n      900 g\n",
				"\n  1 x Plantains                                     £1.20\n      instead of Bananas & <b>nuts</b>\n", "lowered in all by                             £0.20\n",
				"Total                                         £8.48\n", "\nYou pay £8.48.\n",
			},
			[]string{"<li>2 × Bananas &amp; &lt;b&gt;nuts&lt;/b&gt;</li>", "<small>instead of Bananas &amp; &lt;b&gt;nuts&lt;/b&gt;</small>", "<strong>£8.48</strong>"},
		},
		{
			event.OrderEvents, &orderpb.OrderDelivered{Order: packed, Version: 5}, "Your order has been delivered, 832bd3c6",
			[]string{"has been delivered", "Total                                         £8.48\n", "Plantains"}, []string{"has been delivered", "<strong>£8.48</strong>"},
		},
		{
			event.OrderEvents, &orderpb.OrderConfirmed{Order: order(), Version: 1}, "Thank you for your order, 832bd3c6",
			[]string{
				"Hello Ada <L>,\n", "\nOrder 832bd3c6\n", "\n  3 x Bananas & <b>nuts</b>                         £3.60\n  1 x Oat milk                                      £1.99\n",
				"Delivery                                      £3.99\n", "Total                                         £9.58\n", "VAT in it                                     £0.99\n",
				"To:\n  Ada Lovelace\n  12 St James's Square\n  London\n  SW1Y 4JH\n", "Delivery: Thursday 2 July, 10:00 to 11:00\n",
			},
			[]string{"Hello Ada &lt;L&gt;,", "<td style=\"padding:.2em 0\">Bananas &amp; &lt;b&gt;nuts&lt;/b&gt;</td>", "<strong>£9.58</strong>", "12 St James&#39;s Square", "10:00 to 11:00"},
		},
		{event.OrderEvents, &orderpb.OrderDispatched{Order: order(), Version: 4}, "Your order is on its way, 832bd3c6", []string{"on its way to you", "£9.58", "SW1Y 4JH"}, []string{"on its way to you", "£9.58"}},
		{event.OrderEvents, &orderpb.OrderCancelled{Order: cancelled, Version: 2}, "Your order is cancelled, 832bd3c6", []string{"Nothing is charged", "£9.58"}, []string{"Nothing is charged", "£9.58"}},
		{
			event.OrderEvents, &orderpb.OrderRefunded{OrderId: orderID, UserId: ada, RefundId: "r", Amount: &typepb.Money{Currency: "GBP", MinorUnits: 120005}}, "Your refund, order 832bd3c6",
			[]string{"We give you £1200.05 of your order 832bd3c6 back."}, []string{"<strong>£1200.05</strong>"},
		},
		{
			event.UserEvents, &userpb.UserRegistered{UserId: ada, CreateTime: timestamppb.Now()}, "Welcome to Larder: please verify your address",
			[]string{"Welcome.", "\nhttps://shop.example/verify#token=" + adasToken + "\n"}, []string{"Welcome.", `href="https://shop.example/verify#token=` + adasToken + `"`},
		},
		{event.UserEvents, &userpb.UserRegistered{UserId: late}, "You have an account with Larder already", []string{"it is as it was"}, []string{"it is as it was"}},
		{
			event.UserEvents, &userpb.EmailVerificationRequested{UserId: ada}, "Please verify your address",
			[]string{"/verify#token=" + adasToken + "\n"}, []string{`/verify#token=` + adasToken + `"`},
		},
		{
			event.UserEvents, &userpb.PasswordResetRequested{PasswordResetId: late}, "Set a new password",
			[]string{"\nhttps://shop.example/reset#token=" + adasToken + "\n"}, []string{`href="https://shop.example/reset#token=` + adasToken + `"`},
		},
		{event.UserEvents, &userpb.PasswordReset{UserId: ada}, "Your password was changed", []string{"signed out everywhere"}, []string{"signed out everywhere"}},
	} {
		t.Run(c.subject, func(t *testing.T) {
			before := len(server.received())
			e := happened(t, c.subject, c.message)
			r.acknowledged(r.sendEvent(c.topic, e))
			r.acknowledged(r.sendEvent(c.topic, e))
			mails := server.received()
			if len(mails) != before+1 {
				t.Fatalf("%d mails, want one", len(mails)-before)
			}
			got := mails[before]
			if got.from != "orders@larder.example" || got.to != adasMail || got.header.Get("To") != "<"+adasMail+">" || got.header.Get("From") != `"Larder" <orders@larder.example>` {
				t.Errorf("from %s to %s: %v", got.from, got.to, got.header)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject"))
			if err != nil || subject != c.subject || got.header.Get("Auto-Submitted") != "auto-generated" || !strings.HasSuffix(got.header.Get("Message-Id"), "@larder.example>") {
				t.Errorf("header %v", got.header)
			}
			if sent, err := got.header.Date(); err != nil || time.Since(sent).Abs() > time.Minute {
				t.Errorf("dated %s", got.header.Get("Date"))
			}
			for _, text := range c.text {
				if !strings.Contains(got.text, text) {
					t.Errorf("the text has no %q:\n%s", text, got.text)
				}
			}
			for _, html := range c.html {
				if !strings.Contains(got.html, html) {
					t.Errorf("the HTML has no %q:\n%s", html, got.html)
				}
			}
			golden(t, c.subject+".txt", got.text)
			golden(t, c.subject+".html", got.html)
			if strings.Contains(got.html, "<b>") || strings.Contains(got.text+got.html, "%!") || strings.Contains(got.text+got.html, "<nil>") {
				t.Errorf("a mail that isn't well written:\n%s\n%s", got.text, got.html)
			}
		})
	}
	ids := map[string]bool{}
	for _, m := range server.received() {
		ids[m.header.Get("Message-Id")] = true
	}
	if len(ids) != 11 {
		t.Errorf("%d different Message-IDs of 11 events", len(ids))
	}
}

// While another delivery is at it the event waits; nobody there any more: nothing to send.
func TestNoticesOfOthers(t *testing.T) {
	r, server, notices := notifying(t, nil)
	delivered := &orderpb.OrderDelivered{Order: order(), Version: 5}
	notices.set("busy", userpb.BeginNoticeResponse_BUSY)
	busy := r.sendEvent(event.OrderEvents, happened(t, "busy", delivered))
	r.await("the first delivery", func() bool { return len(r.outcomes(busy)) > 0 })
	notices.set("busy", userpb.BeginNoticeResponse_SENT)
	if outcomes := r.acknowledged(busy); outcomes[0] != http.StatusServiceUnavailable {
		t.Errorf("answered %v", outcomes)
	}
	notices.set("gone", userpb.BeginNoticeResponse_GONE)
	if outcomes := r.acknowledged(r.sendEvent(event.OrderEvents, happened(t, "gone", delivered))); len(outcomes) != 1 {
		t.Errorf("answered %v", outcomes)
	}
	if n := len(server.received()) + len(r.services.got("EndNotice")) + len(r.collected()); n != 0 {
		t.Errorf("%d mails, ends and dead letters", n)
	}
}

// A mail server that can't take the mail now gets it later; one that never will ends the event, without telling the address.
func TestMailServerRefuses(t *testing.T) {
	r, server, notices := notifying(t, nil)
	delivered := &orderpb.OrderDelivered{Order: order(), Version: 5}

	server.refuses(&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted " + adasMail})
	later := r.sendEvent(event.OrderEvents, happened(t, "later", delivered))
	r.await("the first delivery", func() bool { return len(r.outcomes(later)) > 0 })
	server.refuses(nil)
	notices.expire()
	if outcomes := r.acknowledged(later); outcomes[0] != http.StatusServiceUnavailable || len(server.received()) != 1 {
		t.Errorf("answered %v, %d mails", outcomes, len(server.received()))
	}

	server.refuses(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox " + adasMail})
	never := r.sendEvent(event.OrderEvents, happened(t, "never", delivered))
	letter := r.letter(never)
	if a := letter.Attributes; a["dead_letter_reason"] != "MAIL_REFUSED" || !strings.Contains(a["dead_letter_detail"], "code 550 5.1.1") {
		t.Errorf("the letter is %v", a)
	}
	if outcomes := r.acknowledged(never); len(outcomes) != 1 {
		t.Errorf("answered %v", outcomes)
	}
}

// A mail that went out while its end couldn't be told goes out again, and can be told to be the same.
func TestEndNotTold(t *testing.T) {
	r, server, notices := notifying(t, nil)
	r.services.answers("EndNotice", func(context.Context, proto.Message) (proto.Message, error) { return nil, fault.Unavailable.New("away") })
	twice := r.sendEvent(event.UserEvents, happened(t, "twice", &userpb.UserRegistered{UserId: ada}))
	r.await("the first delivery", func() bool { return len(r.outcomes(twice)) > 0 })
	r.services.answers("EndNotice", nil)
	notices.expire()
	if outcomes := r.acknowledged(twice); outcomes[0] != http.StatusServiceUnavailable {
		t.Errorf("answered %v", outcomes)
	}
	mails := server.received()
	if len(mails) != 2 || mails[0].header.Get("Message-Id") != mails[1].header.Get("Message-Id") {
		t.Errorf("%d mails", len(mails))
	}
}

// No mail goes in the clear where the server offers TLS, not even if the TLS doesn't hold.
func TestMailServersCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	unknown := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, unknown, unknown, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	r, server, _ := notifying(t, func(s *smtp.Server) {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	})
	if status := r.direct("1", happened(t, "secret", &userpb.UserRegistered{UserId: ada})); status != http.StatusServiceUnavailable || len(server.received()) != 0 {
		t.Errorf("answered %d, %d mails", status, len(server.received()))
	}
	if !strings.Contains(r.logs(), "x509") {
		t.Errorf("the log doesn't say why: %s", r.logs())
	}
}

func TestMailConfiguration(t *testing.T) {
	newRig(t)
	for name, values := range map[string][]string{
		"SMTP_ADDR": {"", "mail.example", "mail.example:smtp"}, "MAIL_FROM": {"", "Larder"}, "MAIL_TIME_ZONE": {"Europe/Atlantis"},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				t.Setenv(name, value)
				if _, err := all["NotifyShopper"](t.Context(), function.New("NotifyShopper")); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}
