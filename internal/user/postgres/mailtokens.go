package postgres

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/outbox"
	outboxpg "larder.dev/internal/outbox/postgres"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/user"
)

var (
	//go:embed sql/insert_mail_token.sql
	insertMailToken string
	//go:embed sql/delete_expired_mail_tokens.sql
	deleteExpiredMailTokens string
	//go:embed sql/account_by_mail_token.sql
	accountByMailToken string
	//go:embed sql/use_mail_token.sql
	useMailToken string
	//go:embed sql/delete_mail_tokens.sql
	deleteMailTokens string
	//go:embed sql/verify_email.sql
	verifyEmail string
	//go:embed sql/set_password_hash.sql
	setPasswordHash string
	//go:embed sql/insert_password_reset.sql
	insertPasswordReset string
	//go:embed sql/delete_old_password_resets.sql
	deleteOldPasswordResets string
	//go:embed sql/account_of_password_reset.sql
	accountOfPasswordReset string
)

// CreateMailToken implements user.MailTokens.
func (s *Store) CreateMailToken(ctx context.Context, token user.MailToken) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, deleteExpiredMailTokens, token.UserID, token.CreateTime); err != nil {
			return fmt.Errorf("delete expired mail tokens: %w", err)
		}
		_, err := tx.Exec(ctx, insertMailToken, token.Hash[:], token.UserID, string(token.Purpose), token.CreateTime, token.ExpireTime)
		return err
	})
}

// AccountByMailToken implements user.MailTokens.
func (s *Store) AccountByMailToken(ctx context.Context, hash [sha256.Size]byte, purpose user.TokenPurpose, now time.Time) (user.Account, error) {
	found, err := account(s.pool.QueryRow(ctx, accountByMailToken, hash[:], string(purpose), now))
	if errors.Is(err, user.ErrNoAccount) {
		return user.Account{}, user.ErrTokenInvalid
	}
	return found, err
}

// VerifyEmail implements user.MailTokens. Of two accounts that verify one address at once, the address's uniqueness lets one.
func (s *Store) VerifyEmail(ctx context.Context, userID string, hash [sha256.Size]byte, now time.Time) (verified user.Account, err error) {
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := useToken(ctx, tx, userID, hash, user.VerifyEmailToken, now); err != nil {
			return err
		}
		verified, err = account(tx.QueryRow(ctx, verifyEmail, userID, now))
		return err
	})
	if pgdb.Violates(err, "accounts_email_key") || errors.Is(err, user.ErrNoAccount) {
		return user.Account{}, user.ErrTokenInvalid
	}
	return verified, err
}

// ResetPassword implements user.MailTokens.
func (s *Store) ResetPassword(ctx context.Context, userID string, hash [sha256.Size]byte, passwordHash string, now time.Time) error {
	reset, err := outbox.New(userID+"-reset-"+uuid.NewString(), event.UserEvents, "users/"+userID, event.TraceParent(ctx),
		&userpb.PasswordReset{UserId: userID})
	if err != nil {
		return err
	}
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := useToken(ctx, tx, userID, hash, user.ResetPasswordToken, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, setPasswordHash, userID, passwordHash, now); err != nil {
			return fmt.Errorf("set password hash: %w", err)
		}
		if _, err := tx.Exec(ctx, endSessions, userID, now); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return outboxpg.Insert(ctx, tx, reset)
	})
}

// useToken uses a token up, and with it all others of its kind that the account has.
func useToken(ctx context.Context, tx pgx.Tx, userID string, hash [sha256.Size]byte, purpose user.TokenPurpose, now time.Time) error {
	tag, err := tx.Exec(ctx, useMailToken, hash[:], userID, string(purpose), now)
	switch {
	case err != nil:
		return fmt.Errorf("use mail token: %w", err)
	case tag.RowsAffected() == 0:
		return user.ErrTokenInvalid
	}
	if _, err := tx.Exec(ctx, deleteMailTokens, userID, string(purpose)); err != nil {
		return fmt.Errorf("delete mail tokens: %w", err)
	}
	return nil
}

// RequestVerification implements user.MailTokens.
func (s *Store) RequestVerification(ctx context.Context, userID, requestID string) error {
	wanted, err := outbox.New(userID+"-verify-"+requestID, event.UserEvents, "users/"+userID, event.TraceParent(ctx),
		&userpb.EmailVerificationRequested{UserId: userID})
	if err != nil {
		return err
	}
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error { return outboxpg.Insert(ctx, tx, wanted) })
}

// RequestPasswordReset implements user.MailTokens.
func (s *Store) RequestPasswordReset(ctx context.Context, id, email string, now time.Time) error {
	wanted, err := outbox.New(id+"-reset-requested", event.UserEvents, "password-resets/"+id, event.TraceParent(ctx),
		&userpb.PasswordResetRequested{PasswordResetId: id})
	if err != nil {
		return err
	}
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, deleteOldPasswordResets, now.Add(-user.PasswordResetLife)); err != nil {
			return fmt.Errorf("delete old password resets: %w", err)
		}
		if _, err := tx.Exec(ctx, insertPasswordReset, id, email, now); err != nil {
			return fmt.Errorf("insert password reset: %w", err)
		}
		return outboxpg.Insert(ctx, tx, wanted)
	})
}

// AccountOfPasswordReset implements user.MailTokens.
func (s *Store) AccountOfPasswordReset(ctx context.Context, id string) (user.Account, error) {
	return account(s.pool.QueryRow(ctx, accountOfPasswordReset, id))
}
