package user

import (
	"context"
	"fmt"
	"time"
)

// MaxExported bounds each list of an export.
const MaxExported = 1000

// Export is all that the room holds of a person, but for what only proves who they are: hashes of passwords and tokens.
type Export struct {
	Account   Account
	Addresses []SavedAddress
	// Sessions and Notices, oldest first, at most MaxExported.
	Sessions []KeptSession
	Notices  []KeptNotice
}

// KeptSession is a session as it is kept. EndTime is zero while it lasts.
type KeptSession struct {
	ID                              string
	CreateTime, ExpireTime, EndTime time.Time
}

// KeptNotice is a notice as it is kept. EndTime is zero for one that wasn't sent.
type KeptNotice struct {
	EventID            string
	BeginTime, EndTime time.Time
}

// Exports is what the room needs of its store to export.
type Exports interface {
	// Sessions and Notices read those of an account, oldest first, at most limit.
	Sessions(ctx context.Context, userID string, limit int) ([]KeptSession, error)
	Notices(ctx context.Context, userID string, limit int) ([]KeptNotice, error)
}

// Export returns all that is held of a person. Errors: UNAUTHENTICATED for one that is gone.
func (s *Service) Export(ctx context.Context, userID string) (export Export, err error) {
	if export.Account, err = s.Account(ctx, userID); err != nil {
		return Export{}, err
	}
	if export.Addresses, err = s.store.Addresses(ctx, userID); err != nil {
		return Export{}, fmt.Errorf("export addresses: %w", err)
	}
	if export.Sessions, err = s.store.Sessions(ctx, userID, MaxExported); err != nil {
		return Export{}, fmt.Errorf("export sessions: %w", err)
	}
	if export.Notices, err = s.store.Notices(ctx, userID, MaxExported); err != nil {
		return Export{}, fmt.Errorf("export notices: %w", err)
	}
	return export, nil
}
