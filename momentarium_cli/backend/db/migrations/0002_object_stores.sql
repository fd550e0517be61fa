-- Stores of several regions, originals that come in parts, and what deleting has to remember.

alter table uploads
  add column region text,        -- where it was sent, for a store of several
  add column parts jsonb,        -- {upload_id, part_bytes, sha256s} while it comes in parts
  add column thumb_key text,     -- set when a photo is deleted: what is to go with it
  add column deleting_since timestamptz,
  add constraint deleting_says_since_when check ((state = 'deleting') = (deleting_since is not null));
create index on uploads (deleting_since) where state = 'deleting';
create index on uploads (issued_at) where state = 'issued';

alter table images
  add column region text,
  add column verified boolean not null default true;  -- false until the worker has read the whole original

create index images_preview_key on images (preview_key);
create index images_thumb_key on images (thumb_key);
