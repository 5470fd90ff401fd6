-- The database of events as szem left it before its version 2 of the tables.
BEGIN TRANSACTION;
CREATE TABLE szem_events (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(32) NOT NULL, 
	source VARCHAR(200) NOT NULL, 
	kind VARCHAR(80) NOT NULL, 
	started FLOAT NOT NULL, 
	ended FLOAT NOT NULL, 
	start_s FLOAT NOT NULL, 
	end_s FLOAT NOT NULL, 
	best_s FLOAT, 
	kept_s FLOAT NOT NULL, 
	score FLOAT NOT NULL, 
	sound FLOAT, 
	video FLOAT, 
	channels TEXT NOT NULL, 
	contributions TEXT NOT NULL, 
	label VARCHAR(80) NOT NULL, 
	track BIGINT, 
	place VARCHAR(80) NOT NULL, 
	direction VARCHAR(40) NOT NULL, 
	box_xyxy TEXT, 
	width_px INTEGER, 
	height_px INTEGER, 
	also VARCHAR(80) NOT NULL, 
	note TEXT NOT NULL, 
	is_open BOOLEAN NOT NULL, 
	rule VARCHAR(80) NOT NULL, 
	picture VARCHAR(300) NOT NULL, 
	clip VARCHAR(300) NOT NULL, 
	clip_start_s FLOAT, 
	media_bytes BIGINT NOT NULL, 
	mark VARCHAR(8) NOT NULL, 
	mark_note TEXT NOT NULL, 
	marked FLOAT, 
	UNIQUE (id)
);
INSERT INTO "szem_events" VALUES(1,'0123456789abcdef0123456789abcdef','door','left behind',998.0,999.5,8.0,9.5,NULL,2.45869996433611959218e-05,0.9,NULL,0.9,'{"video": 0.9}','{}','thing',NULL,'','',NULL,NULL,NULL,'','',0,'','','',NULL,0,'','',NULL);
CREATE TABLE szem_guard_meta (
	name VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "szem_guard_meta" VALUES('schema','1');
CREATE TABLE szem_outbox (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(40) NOT NULL, 
	hook VARCHAR(80) NOT NULL, 
	topic VARCHAR(300) NOT NULL, 
	body TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	error TEXT NOT NULL, 
	kept_s FLOAT NOT NULL
);
INSERT INTO "szem_outbox" VALUES(1,'98d4cbd1444148e79f904537fea20d45','webhook:office','szem/events','{}',0,'',2.43689499984611757099e-03);
CREATE TABLE szem_sources (
	name VARCHAR(200) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	told TEXT NOT NULL, 
	seen FLOAT, 
	updated FLOAT NOT NULL, 
	width_px INTEGER, 
	height_px INTEGER, 
	has_sound BOOLEAN NOT NULL, 
	still VARCHAR(300) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "szem_sources" VALUES('door','film','no answer',5.0,1.79605148820968866345e+09,NULL,NULL,0,'');
CREATE INDEX szem_events_kind ON szem_events (kind, number);
CREATE INDEX szem_events_started ON szem_events (started);
CREATE INDEX szem_events_length ON szem_events (ended - started);
CREATE INDEX szem_events_source ON szem_events (source, number);
CREATE INDEX szem_events_ended ON szem_events (ended);
CREATE INDEX szem_outbox_hook ON szem_outbox (hook, number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('szem_events',1);
INSERT INTO "sqlite_sequence" VALUES('szem_outbox',1);
COMMIT;
