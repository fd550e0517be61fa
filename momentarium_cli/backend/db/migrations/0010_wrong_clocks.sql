-- What must be added to the times that a photo's camera gave; taken_at and taken_sort stay what the photo says.

alter table images add column clock_shift_seconds integer not null default 0;
