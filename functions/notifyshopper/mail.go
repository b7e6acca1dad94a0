package notifyshopper

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/mail"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
	_ "time/tzdata" // the image has no time zones of its own

	"github.com/google/uuid"
	gomail "github.com/wneessen/go-mail"

	orderpb "larder.dev/api/order/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/functions/internal/push"
	"larder.dev/internal/event"
	"larder.dev/internal/money"
)

type mailConfig struct {
	// Addr is the mail server, host:port, that takes mails in (SMTP). TLS is used where the server offers it (STARTTLS).
	Addr string `env:"SMTP_ADDR,required"`
	// Username and Password sign in there; then TLS is a must. Empty: the server knows us without.
	Username string `env:"SMTP_USERNAME"`
	Password string `env:"SMTP_PASSWORD"`
	// From is the sender: "Larder <orders@larder.example>".
	From string `env:"MAIL_FROM,required"`
	// VerifyURL and ResetURL are the storefront's pages that mails lead to. The token is put behind them, in the fragment, so that it gets
	// into no server's log.
	VerifyURL string `env:"MAIL_VERIFY_URL" envDefault:"https://larder.dev/verify"`
	ResetURL  string `env:"MAIL_RESET_URL" envDefault:"https://larder.dev/reset"`
	// TimeZone of delivery times in mails.
	TimeZone string `env:"MAIL_TIME_ZONE" envDefault:"Europe/London"`
}

var (
	//go:embed mails.txt
	mailsText string
	//go:embed mails.html
	mailsHTML string
)

// letter is what templates see. Kind names the template.
type letter struct {
	Kind, Subject string
	// Name is the person's, empty if they gave none.
	Name string
	// Token is what some letters bring, and nobody else may see.
	Token  string
	Order  *orderpb.Order
	Refund *orderpb.OrderRefunded
}

// post writes mails and hands them to the mail server.
type post struct {
	client *gomail.Client
	from   *mail.Address
	text   *texttemplate.Template
	html   *template.Template
}

func newPost(config mailConfig) (*post, error) {
	host, portText, err := net.SplitHostPort(config.Addr)
	if err != nil {
		return nil, fmt.Errorf("SMTP_ADDR: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("SMTP_ADDR: %w", err)
	}
	from, err := mail.ParseAddress(config.From)
	if err != nil {
		return nil, fmt.Errorf("MAIL_FROM: %w", err)
	}
	zone, err := time.LoadLocation(config.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("MAIL_TIME_ZONE: %w", err)
	}
	options := []gomail.Option{
		gomail.WithPort(port), gomail.WithTLSPolicy(gomail.TLSOpportunistic), gomail.WithTimeout(10 * time.Second),
		gomail.WithoutNoop(), gomail.WithoutRset(), // one mail a connection
	}
	if config.Username != "" {
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(config.Username), gomail.WithPassword(config.Password))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("make the mail client: %w", err)
	}
	functions := map[string]any{
		"verifyURL": link(config.VerifyURL), "resetURL": link(config.ResetURL),
		"pounds": pounds, "number": number, "some": some, "period": period(zone), "missing": missing, "instead": instead,
	}
	text, err := texttemplate.New("").Funcs(functions).Parse(mailsText + receiptsText)
	if err != nil {
		return nil, fmt.Errorf("read the text of mails: %w", err)
	}
	html, err := template.New("").Funcs(functions).Parse(mailsHTML + receiptsHTML)
	if err != nil {
		return nil, fmt.Errorf("read the HTML of mails: %w", err)
	}
	return &post{client: client, from: from, text: text, html: html}, nil
}

// send hands a letter to the mail server. Its errors don't hold the address.
func (p *post) send(ctx context.Context, to, messageID string, l letter) error {
	var text, html bytes.Buffer
	if err := errors.Join(p.text.ExecuteTemplate(&text, l.Kind, l), p.html.ExecuteTemplate(&html, l.Kind, l)); err != nil {
		return fmt.Errorf("write the mail %q: %w", l.Kind, err)
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := m.From(p.from.String()); err != nil {
		return fmt.Errorf("set the sender: %w", err)
	}
	if err := m.To(to); err != nil {
		return push.Final(MailRefused, "the person's address is none that mail can be sent to")
	}
	m.Subject(l.Subject)
	m.SetDate()
	m.SetMessageIDWithValue(messageID + "@" + domain(p.from.Address))
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office replies
	m.SetBodyString(gomail.TypeTextPlain, text.String())
	m.AddAlternativeString(gomail.TypeTextHTML, html.String())
	err := p.client.DialAndSendWithContext(ctx, m)
	if err == nil || m.IsDelivered() { // what fails after that is no matter
		return nil
	}
	return refusal(err)
}

// refusal is the error of a mail that wasn't taken. The library's and the server's texts name the address, so only codes are told. What the
// server refuses for good once it has heard the recipient is final; that it doesn't want us at all is a fault of the configuration.
func refusal(err error) error {
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	text := fmt.Sprintf("the mail server refuses the mail when %s: code %d %s", refused.Reason, refused.ErrorCode(), refused.EnhancedStatusCode())
	switch refused.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		if refused.ErrorCode() >= 500 {
			return push.Final(MailRefused, strings.TrimSpace(text))
		}
	}
	return errors.New(strings.TrimSpace(text))
}

// messageID is the same for an event whenever it comes, so that two mails of it can be told to be one.
func messageID(e event.Event) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%q %q", e.Source, e.ID)).String()
}

func domain(address string) string { return address[strings.LastIndex(address, "@")+1:] }

// link leads to a page with a token, which is of letters that a URL may hold (base64url).
func link(page string) func(token string) string {
	return func(token string) string { return page + "#token=" + token }
}

// pounds writes an amount as shoppers read it.
func pounds(m *typepb.Money) string {
	if m.GetCurrency() != "GBP" {
		return money.FromProto(m).String()
	}
	if text, negative := strings.CutPrefix(strings.TrimSuffix(money.FromProto(m).String(), " GBP"), "-"); negative {
		return "-£" + text
	}
	return "£" + strings.TrimSuffix(money.FromProto(m).String(), " GBP")
}

func some(m *typepb.Money) bool { return m.GetMinorUnits() != 0 }

// period writes the time of a delivery: "Thursday 26 November, 10:00 to 11:00".
func period(zone *time.Location) func(slot *typepb.Slot) string {
	return func(slot *typepb.Slot) string {
		from, to := slot.GetStartTime().AsTime().In(zone), slot.GetEndTime().AsTime().In(zone)
		return from.Format("Monday 2 January, 15:04") + " to " + to.Format("15:04")
	}
}
