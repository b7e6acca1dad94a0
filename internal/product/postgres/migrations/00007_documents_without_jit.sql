-- Compiling the documents' query costs a session more than it gains: with enable_seqscan off, a small table that is read whole has
-- a price that calls for compilation. Measured: 500 documents in a new session 0.9 s with, 0.3 s without; later 0.2 s in both.

-- +goose Up
alter function products.compute_documents(text[], timestamptz) set jit = off;
alter function products.refresh_documents(text[]) set jit = off;
