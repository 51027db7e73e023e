-- Work that outlives the request which asked for it.
create table jobs (
  id text primary key,
  kind text not null,
  status text not null,
  title text not null,
  -- null: not known yet.
  model_id text,
  -- What its kind needs to begin, and to go on after a restart.
  input jsonb not null,
  result jsonb,
  -- {code, message, retryable, details}
  error jsonb,
  done_bytes bigint not null,
  -- null: not known yet.
  total_bytes bigint,
  -- Of several servers on one database, the one on whose disk it works.
  server text not null,
  -- A user, who may be gone since.
  created_by text not null,
  created_at_ms bigint not null,
  updated_at_ms bigint not null
);

create index jobs_server on jobs (server);
