-- Thumbs of deleted photos are in `discarded`.

alter table uploads drop column thumb_key;
