DROP TABLE "point_ledger";
