-- The database's part of the recorded workloads: a small shop in memory, filled, indexed, asked and changed.
create table customer (id integer primary key, name text not null, city text not null);
create table product (id integer primary key, name text not null, price real not null, facts text);
create table purchase (
    id integer primary key,
    customer integer not null references customer (id),
    product integer not null references product (id),
    count integer not null,
    note text
);

with recursive n (i) as (select 1 union all select i + 1 from n where i < 2000)
insert into customer select i, 'customer ' || hex(i * 7919), 'city ' || (i % 37) from n;
with recursive n (i) as (select 1 union all select i + 1 from n where i < 500)
insert into product
    select i, 'product ' || i, (i * 37 % 1000) / 10.0, json_object('weight', i % 50, 'colour', hex(i % 9)) from n;
begin;
with recursive n (i) as (select 1 union all select i + 1 from n where i < 30000)
insert into purchase
    select i, 1 + i * 7919 % 2000, 1 + i * 104729 % 500, 1 + i % 5, 'note ' || hex(i * 31) from n;
commit;

create index purchase_customer on purchase (customer);
create index purchase_note on purchase (note);
create index customer_city on customer (city, name);

select city, count(*), round(sum(count * price), 2) from purchase
    join customer on customer.id = purchase.customer
    join product on product.id = purchase.product
    group by city order by 3 desc limit 5;
select json_extract(facts, '$.colour') as colour, count(*), group_concat(distinct count)
    from purchase join product on product.id = purchase.product
    group by colour order by colour;
select count(*) from purchase where note like '%37%';
select name, (select max(note) from purchase where customer = customer.id) from customer
    where city = 'city 11' order by name limit 3;
with ranked as (
    select customer, sum(count) as bought, rank() over (order by sum(count) desc, customer) as place
        from purchase group by customer
)
select place, customer, bought from ranked where place <= 3;

update purchase set note = note || ' changed' where id % 3 = 0;
delete from purchase where id % 5 = 0;
create virtual table words using fts5 (text);
insert into words select name || ' ' || city from customer;
select count(*) from words where words match 'city AND 11';
create table archive as select *, upper(note) as shout from purchase order by note desc;
select count(*), max(shout) from archive;
drop table purchase;
vacuum;
select count(*), sum(length(note)) from archive;
