-- Models that native engines may open: by their id, and by what their files were when they were marked.
create table trusted_models (
  model_id text not null,
  -- SHA-256 over the digests of its files: `sha256:<hex>`.
  digest text not null,
  marked_at_ms bigint not null,
  primary key (model_id, digest)
);
