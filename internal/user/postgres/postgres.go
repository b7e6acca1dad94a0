// Package postgres keeps accounts in the schema users of PostgreSQL. Every statement is a file in sql/.
package postgres

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/timestamppb"

	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
	"larder.dev/internal/outbox"
	outboxpg "larder.dev/internal/outbox/postgres"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/user"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the room's schema.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil { // only for a malformed path
		panic(err)
	}
	return pgdb.Schema{Name: "users", Migrations: files}
}

var (
	//go:embed sql/insert_account.sql
	insertAccount string
	//go:embed sql/account.sql
	accountByID string
	//go:embed sql/account_by_email.sql
	accountByEmail string
	//go:embed sql/account_by_claimed_email.sql
	accountByClaimedEmail string
	//go:embed sql/delete_account.sql
	deleteAccount string
	//go:embed sql/rename_account.sql
	renameAccount string
	//go:embed sql/replace_password_hash.sql
	replacePasswordHash string
	//go:embed sql/provision_account.sql
	provisionAccount string
	//go:embed sql/insert_session.sql
	insertSession string
	//go:embed sql/delete_expired_sessions.sql
	deleteExpiredSessions string
	//go:embed sql/end_session.sql
	endSession string
	//go:embed sql/end_sessions.sql
	endSessions string
	//go:embed sql/insert_refresh_token.sql
	insertRefreshToken string
	//go:embed sql/lock_refresh_token.sql
	lockRefreshToken string
	//go:embed sql/refresh_token_unused.sql
	refreshTokenUnused string
	//go:embed sql/use_refresh_token.sql
	useRefreshToken string
	//go:embed sql/delete_expired_refresh_tokens.sql
	deleteExpiredRefreshTokens string
	//go:embed sql/lock_signing_keys.sql
	lockSigningKeys string
	//go:embed sql/signing_keys.sql
	signingKeys string
	//go:embed sql/insert_signing_key.sql
	insertSigningKey string
)

// Store implements user.Store.
type Store struct{ pool *pgxpool.Pool }

var _ user.Store = (*Store)(nil)

// New makes a store on a database that has the schema.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// CreateAccount implements user.Accounts.
func (s *Store) CreateAccount(ctx context.Context, a user.Account) error {
	registered, err := outbox.New(a.ID+"-registered", event.UserEvents, "users/"+a.ID, event.TraceParent(ctx),
		&userpb.UserRegistered{UserId: a.ID, CreateTime: timestamppb.New(a.CreateTime)})
	if err != nil {
		return err
	}
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insertAccount, a.ID, a.Email, a.DisplayName, a.PasswordHash, a.Roles, a.CreateTime)
		if err != nil {
			return fmt.Errorf("insert account: %w", err)
		}
		return outboxpg.Insert(ctx, tx, registered)
	})
}

// DeleteAccount implements user.Accounts.
func (s *Store) DeleteAccount(ctx context.Context, id string, now time.Time) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, deleteAccount, id)
		switch {
		case err != nil:
			return fmt.Errorf("delete account: %w", err)
		case tag.RowsAffected() == 0:
			return user.ErrNoAccount
		}
		return tellDeleted(ctx, tx, id, now)
	})
}

// tellDeleted keeps the event that an account is gone.
func tellDeleted(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	deleted, err := outbox.New(id+"-deleted", event.UserEvents, "users/"+id, event.TraceParent(ctx),
		&userpb.UserDeleted{UserId: id, DeleteTime: timestamppb.New(now)})
	if err != nil {
		return err
	}
	return outboxpg.Insert(ctx, tx, deleted)
}

// Account implements user.Accounts.
func (s *Store) Account(ctx context.Context, id string) (user.Account, error) {
	return account(s.pool.QueryRow(ctx, accountByID, id))
}

// AccountByEmail implements user.Accounts.
func (s *Store) AccountByEmail(ctx context.Context, email string) (user.Account, error) {
	return account(s.pool.QueryRow(ctx, accountByEmail, email))
}

// ClaimedAccount implements user.Accounts.
func (s *Store) ClaimedAccount(ctx context.Context, email string) (user.Account, error) {
	return account(s.pool.QueryRow(ctx, accountByClaimedEmail, email))
}

// RenameAccount implements user.Accounts.
func (s *Store) RenameAccount(ctx context.Context, id, name string, version int64, now time.Time) (user.Account, error) {
	expected := &version
	if version == 0 {
		expected = nil
	}
	renamed, err := account(s.pool.QueryRow(ctx, renameAccount, id, name, expected, now))
	if !errors.Is(err, user.ErrNoAccount) {
		return renamed, err
	}
	if _, err := s.Account(ctx, id); err != nil {
		return user.Account{}, err
	}
	return user.Account{}, fault.EtagMismatch.New("the account has changed since it was read")
}

// ReplacePasswordHash implements user.Accounts.
func (s *Store) ReplacePasswordHash(ctx context.Context, id, was, is string, now time.Time) error {
	_, err := s.pool.Exec(ctx, replacePasswordHash, id, was, is, now)
	return pgdb.Error(err)
}

// ProvisionAccount implements user.Accounts.
func (s *Store) ProvisionAccount(ctx context.Context, a user.Account) (user.Account, error) {
	return account(s.pool.QueryRow(ctx, provisionAccount, a.ID, a.Email, a.DisplayName, a.PasswordHash, a.Roles, a.CreateTime))
}

func account(row pgx.Row) (user.Account, error) {
	var a user.Account
	err := row.Scan(&a.ID, &a.Email, &a.Verified, &a.DisplayName, &a.PasswordHash, &a.Roles, &a.Version, &a.CreateTime)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.Account{}, user.ErrNoAccount
	}
	return a, pgdb.Error(err)
}

// CreateSession implements user.Sessions.
func (s *Store) CreateSession(ctx context.Context, family user.Family, first user.RefreshToken, passwordHash string) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, deleteExpiredSessions, family.UserID, family.CreateTime); err != nil {
			return fmt.Errorf("delete expired sessions: %w", err)
		}
		if _, err := tx.Exec(ctx, deleteOldNotices, family.UserID, family.CreateTime.Add(-user.NoticeLife)); err != nil {
			return fmt.Errorf("delete old notices: %w", err)
		}
		tag, err := tx.Exec(ctx, insertSession, family.ID, family.UserID, family.CreateTime, family.ExpireTime, passwordHash)
		switch {
		case err != nil:
			return fmt.Errorf("insert session: %w", err)
		case tag.RowsAffected() == 0:
			return user.ErrPasswordChanged
		}
		return insertToken(ctx, tx, family.ID, first)
	})
}

// RotateRefreshToken implements user.Sessions.
func (s *Store) RotateRefreshToken(ctx context.Context, used [sha256.Size]byte, next user.RefreshToken) (family user.Family, kept user.RefreshToken, err error) {
	var outcome error // ErrTokenReused is an answer of a transaction that commits
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		family, kept, outcome = user.Family{}, next, nil
		var ended bool
		var expiry time.Time
		var usedAt *time.Time
		var successor []byte
		err := tx.QueryRow(ctx, lockRefreshToken, used[:]).Scan(
			&family.ID, &family.UserID, &family.ExpireTime, &ended, &expiry, &usedAt, &successor)
		now := next.CreateTime
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			outcome = user.ErrTokenInvalid
			return nil
		case err != nil:
			return fmt.Errorf("lock refresh token: %w", err)
		case ended || !now.Before(expiry) || !now.Before(family.ExpireTime):
			outcome = user.ErrTokenInvalid
			return nil
		case usedAt != nil:
			lost, err := giveWay(ctx, tx, *usedAt, successor, now)
			if err != nil {
				return err
			}
			if !lost {
				outcome = user.ErrTokenReused
				_, err := tx.Exec(ctx, endSession, family.ID, family.UserID, now)
				return err
			}
		}
		if _, err := tx.Exec(ctx, useRefreshToken, used[:], now, next.Hash[:]); err != nil {
			return fmt.Errorf("use refresh token: %w", err)
		}
		if _, err := tx.Exec(ctx, deleteExpiredRefreshTokens, family.ID, now); err != nil {
			return fmt.Errorf("delete expired refresh tokens: %w", err)
		}
		if kept.ExpireTime.After(family.ExpireTime) {
			kept.ExpireTime = family.ExpireTime
		}
		return insertToken(ctx, tx, family.ID, kept)
	})
	if err == nil {
		err = outcome
	}
	return family, kept, err
}

// giveWay tells whether a used token may be used once more, its answer being lost, and if so uses its successor up.
func giveWay(ctx context.Context, tx pgx.Tx, usedAt time.Time, successor []byte, now time.Time) (bool, error) {
	if successor == nil || now.Sub(usedAt) > user.RefreshGrace {
		return false, nil
	}
	var unused bool
	if err := tx.QueryRow(ctx, refreshTokenUnused, successor).Scan(&unused); err != nil || !unused {
		return false, err
	}
	if _, err := tx.Exec(ctx, useRefreshToken, successor, now, nil); err != nil {
		return false, fmt.Errorf("use the lost refresh token: %w", err)
	}
	return true, nil
}

func insertToken(ctx context.Context, tx pgx.Tx, sessionID string, t user.RefreshToken) error {
	if _, err := tx.Exec(ctx, insertRefreshToken, t.Hash[:], sessionID, t.CreateTime, t.ExpireTime); err != nil {
		return fmt.Errorf("insert refresh token: %w", err)
	}
	return nil
}

// EndSession implements user.Sessions.
func (s *Store) EndSession(ctx context.Context, userID, sessionID string, now time.Time) error {
	_, err := s.pool.Exec(ctx, endSession, sessionID, userID, now)
	return pgdb.Error(err)
}

// EndSessions implements user.Sessions.
func (s *Store) EndSessions(ctx context.Context, userID string, now time.Time) error {
	_, err := s.pool.Exec(ctx, endSessions, userID, now)
	return pgdb.Error(err)
}

// SigningKeys implements user.SigningKeys.
func (s *Store) SigningKeys(ctx context.Context, now time.Time) ([]user.SigningKey, error) {
	rows, err := s.pool.Query(ctx, signingKeys, now)
	if err != nil {
		return nil, pgdb.Error(err)
	}
	return keys(rows)
}

// EnsureSigningKey implements user.SigningKeys.
func (s *Store) EnsureSigningKey(ctx context.Context, after time.Time, candidate user.SigningKey) (newest user.SigningKey, err error) {
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSigningKeys); err != nil {
			return fmt.Errorf("lock signing keys: %w", err)
		}
		rows, err := tx.Query(ctx, signingKeys, candidate.CreateTime)
		if err != nil {
			return fmt.Errorf("read signing keys: %w", err)
		}
		all, err := keys(rows)
		if err != nil {
			return err
		}
		if len(all) > 0 && all[0].CreateTime.After(after) {
			newest = all[0]
			return nil
		}
		newest = candidate
		_, err = tx.Exec(ctx, insertSigningKey, candidate.KID, candidate.Seed, candidate.CreateTime, candidate.ExpireTime)
		return err
	})
	return newest, err
}

func keys(rows pgx.Rows) ([]user.SigningKey, error) {
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[user.SigningKey])
	return all, pgdb.Error(err)
}
