package main

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/emersion/go-smtp"
)

// Bounds of one mail and its conversation.
const (
	maxMail       = 2 << 20 // bytes
	maxRecipients = 100
	patience      = 30 * time.Second // with a client that says nothing
)

// newSMTP makes the server that puts mails into a box.
func newSMTP(to *box, now func() time.Time, log *slog.Logger) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{box: to, now: now, log: log}, nil
	}))
	server.Domain = "mailsink.local"
	server.MaxMessageBytes, server.MaxRecipients = maxMail, maxRecipients
	server.ReadTimeout, server.WriteTimeout = patience, patience
	server.EnableSMTPUTF8 = true
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	return server
}

// session is one conversation.
type session struct {
	box  *box
	now  func() time.Time
	log  *slog.Logger
	from string
	to   []string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read the mail: %w", err)
	}
	m := read(raw)
	m.From, m.To, m.Received, m.size = s.from, s.to, s.now().UTC(), len(raw)
	s.box.add(m)
	s.log.Info("mail taken", "message_id", m.MessageID, "bytes", len(raw), "fault", m.Fault)
	return nil
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }
