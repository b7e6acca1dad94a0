package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// loseSlot drops Debezium's slot, and with it all of the log that Debezium hasn't read, once nobody holds it.
func (s *shelf) loseSlot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := s.pool.Exec(ctx, `select pg_drop_replication_slot('productindex')`)
		var refused *pgconn.PgError
		if err == nil || errors.As(err, &refused) && refused.Code == "42704" { // there is none: it wasn't made anew yet
			return nil
		}
		if !wait(ctx, 50*time.Millisecond) {
			return err
		}
	}
}

// slotKeeps is how much log PostgreSQL keeps for a slot, in a run.
const slotKeeps = "256MB"

// slotGrowsFor bounds writing more than that, with the checkpoints that PostgreSQL needs to notice: seconds, or minutes of a disk that others use.
const slotGrowsFor = 4 * time.Minute

// outgrowSlot lets Debezium stand still while the log grows beyond what a slot may hold, until PostgreSQL gives the slot up; then it does
// what docs/playbooks/catalogue-log-silent.md says.
func (v *weather) outgrowSlot(ctx context.Context) error {
	p, s := v.world.platform, v.world.shelf
	growing, cancel := context.WithTimeout(ctx, slotGrowsFor)
	defer cancel()
	lost, err := false, error(nil)
	for !lost && err == nil {
		if err = p.signal(ctx, "debezium", syscall.SIGSTOP); err == nil {
			lost, err = v.growUnread(growing)
		}
	}
	return errors.Join(err, p.kill(ctx, "debezium"), s.loseSlot(ctx))
}

// readerStands is how long Debezium stands still while PostgreSQL has a checkpoint, which ends who sends to a slot that has outgrown its bound. Twice in some
// twenty runs the checkpoint didn't end; a sender that waits for a reader to read may be why (not shown). Then the reader goes.
const readerStands = 30 * time.Second

func (v *weather) growUnread(ctx context.Context) (lost bool, err error) {
	grown := make(chan struct{})
	var reader sync.WaitGroup
	var killed error
	reader.Go(func() {
		select {
		case <-grown:
		case <-time.After(readerStands):
			killed = v.world.platform.kill(ctx, "debezium")
		}
	})
	lost, err = v.world.shelf.grow(ctx)
	close(grown)
	reader.Wait()
	return lost, errors.Join(err, killed)
}

// grow writes some 300 MB of log that no slot's reader wants, and has PostgreSQL look at its slots: it does at each checkpoint, and makes one
// for a database that is copied or dropped, which its owner may do.
func (s *shelf) grow(ctx context.Context) (lost bool, err error) {
	err = s.statements(ctx, `create table products.fidelity_ballast as select repeat(md5(n::text), 55) from generate_series(1, 160000) n`,
		`drop table products.fidelity_ballast`, `create database fidelity_ballast strategy file_copy`, `drop database fidelity_ballast`)
	if err != nil {
		return false, err
	}
	err = s.pool.QueryRow(ctx, `select coalesce(bool_or(wal_status = 'lost'), true) from pg_replication_slots where slot_name = 'productindex'`).Scan(&lost)
	if err != nil {
		return false, fmt.Errorf("read the slot: %w", err)
	}
	return lost, nil
}

// slotFollows waits until the slot holds none of the log that has been written up to now, though no document changes any more:
// Debezium's heartbeats let it go on.
func (s *shelf) slotFollows(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.statements(ctx, `create table products.fidelity_ballast ()`, `drop table products.fidelity_ballast`); err != nil {
		return err
	}
	var written string
	if err := s.pool.QueryRow(ctx, `select pg_current_wal_lsn()::text`).Scan(&written); err != nil {
		return fmt.Errorf("read the log's end: %w", err)
	}
	for {
		var follows bool
		err := s.pool.QueryRow(ctx, `select coalesce(bool_or(confirmed_flush_lsn >= $1::pg_lsn), false) from pg_replication_slots where slot_name = 'productindex'`, written).Scan(&follows)
		if err == nil && follows {
			return nil
		}
		if !wait(ctx, 200*time.Millisecond) {
			return fmt.Errorf("the slot holds log from before %s: %w", written, errors.Join(err, ctx.Err()))
		}
	}
}

func (s *shelf) statements(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
